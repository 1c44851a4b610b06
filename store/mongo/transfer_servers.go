package mongo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"usher/store"
)

const (
	// beatEvery is how often a process says that it uses the database.
	beatEvery = 10 * time.Second
	// aliveFor is how long it is believed, by the server's clock.
	aliveFor = 40 * time.Second
)

// ErrInUse says that a process uses the database that does not go together with this one: one that copies it wants it for itself.
var ErrInUse = errors.New("another usher process uses the database")

// server is the document of a process that has the database open.
type server struct {
	ID    string    `bson:"_id"`
	Alone bool      `bson:"alone"` // wants the database for itself
	Host  string    `bson:"host"`
	PID   int       `bson:"pid"`
	At    time.Time `bson:"at"` // of the last beat, by the server's clock
}

// beat says that this process uses the database, until the context ends.
func (s *Store) beat(ctx context.Context) {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.later(ctx, "note that it is in use", s.beatOnce(ctx))
			s.later(ctx, "look whether it is as it was", s.prepareAgain(ctx))
		}
	}
}

func (s *Store) beatOnce(ctx context.Context) error {
	host, err := os.Hostname()
	if err != nil {
		host = "a machine without a name"
	}
	return s.try(ctx, func(ctx context.Context) error {
		_, err := s.servers().UpdateOne(ctx, byID(s.process), bson.D{
			{Key: "$set", Value: bson.D{field("alone", s.alone), field("host", host), field("pid", os.Getpid())}},
			{Key: "$currentDate", Value: bson.D{field("at", true)}},
		}, options.UpdateOne().SetUpsert(true))
		return err
	})
}

func (s *Store) servers() *mongo.Collection { return s.db.Collection("servers") }

// enter notes that this process uses the database, and looks then who else does: so of two that do not go together one sees the other.
func (s *Store) enter(ctx context.Context) error {
	if err := s.beatOnce(ctx); err != nil {
		return err
	}
	others, err := s.others(ctx)
	for _, o := range others {
		if err == nil && (s.alone || o.Alone) && !o.dead() {
			err = fmt.Errorf("%w (process %d on %s): stop it first; if it has died, wait for %v", ErrInUse, o.PID, o.Host, aliveFor)
		}
	}
	if err != nil {
		s.leaveDatabase(ctx)
	}
	return err
}

// dead says whether a process of this machine is there no more. Of others only their beats tell.
func (o server) dead() bool {
	host, err := os.Hostname()
	return err == nil && host == o.Host && errors.Is(syscall.Kill(o.PID, 0), syscall.ESRCH)
}

// others gives the other processes that use the database, as far as they have said so lately.
func (s *Store) others(ctx context.Context) ([]server, error) {
	var all []server
	if err := findAll(ctx, s, s.servers(), bson.D{}, &all); err != nil {
		return nil, err
	}
	var now time.Time // by the clock that the beats are from
	for _, o := range all {
		if o.ID == s.process {
			now = o.At
		}
	}
	var alive []server
	for _, o := range all {
		switch {
		case o.ID == s.process:
		case now.Sub(o.At) < aliveFor:
			alive = append(alive, o)
		default:
			if _, err := s.drop(ctx, s.servers(), bson.D{field("_id", o.ID), field("at", o.At)}); err != nil && !errors.Is(err, store.ErrClosed) {
				return nil, err
			}
		}
	}
	return alive, nil
}

// leaveDatabase notes that this process does not use the database any more.
func (s *Store) leaveDatabase(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	_, err := s.servers().DeleteOne(ctx, byID(s.process))
	s.later(ctx, "note that it is in use no more", err)
}
