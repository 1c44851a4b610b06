package cli

import "usher/cmd/internal/demo"

type demoCommand struct {
	Addr       string         `help:"Where to listen; port 0 takes a free one." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	Data       string         `help:"The data folder; without it a fresh one that is removed in the end." type:"path" placeholder:"DIR"`
	Store      string         `help:"The address of a MongoDB database that has the records; without it they are in the data folder." placeholder:"URI"`
	Seats      map[string]int `help:"Seats of a paid license; may be given several times." default:"video-pro-plus=5" placeholder:"LICENSE=N"`
	SeatPolicy string         `help:"What becomes of a write that finds no seat: ${enum}." enum:"waiting,strict" default:"waiting"`
	Empty      bool           `help:"Do not play the sync."`
	JSON       bool           `name:"json" help:"Print one line of JSON with the addresses and the token once the server is ready."`
}

func (cmd *demoCommand) Run(env *environment) error {
	return demo.Run(env.ctx, demo.Options{
		Addr: cmd.Addr, Data: cmd.Data, Store: cmd.Store, Seats: cmd.Seats, SeatPolicy: cmd.SeatPolicy, Empty: cmd.Empty, JSON: cmd.JSON,
	}, env.stdout, env.stderr)
}
