package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"

	"usher/cmd/internal/adminapi"
	"usher/cmd/internal/mail"
	"usher/cmd/internal/setup"
	"usher/scim"
	"usher/sso"
	"usher/store"
)

const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 2 * time.Minute // the largest body over a slow line
	idleTimeout       = 2 * time.Minute
	// maxHeader is what net/http reads of a request before its body; beyond it the answer is net/http's own. It is above the endpoint's
	// limits, so that a request which is over them and not absurd gets an answer that says which.
	maxHeader = 512 << 10 // bytes
	// shutdownTimeout is how long requests that have begun may take to end after the server was told to stop.
	shutdownTimeout = 15 * time.Second
	// storeQuirksEvery is how often the counts of quirks are stored.
	storeQuirksEvery = 10 * time.Second
	// maintainEvery is how often the work that falls due by time is looked at.
	maintainEvery = time.Minute
	// resumeEvery is how often a server of several looks for sweeps that one which has died left undone. The rest of it waits for maintenance.
	resumeEvery = 15 * time.Second
)

// App is a server: a data folder with its listeners. They are open from New on, so connections wait until Run serves them.
type App struct {
	folder *Folder
	log    *slog.Logger
	public net.Listener
	socket net.Listener
	url    string // public address without a slash at the end
	routes http.Handler
	admin  *adminapi.Handler
	signOn *sso.Handler
	mail   *mail.Worker // nil: nobody sends mail

	storeQuirks func(ctx context.Context) error
}

// New opens the listeners and the data folder. The configuration must be valid, as LoadConfig gives it. The caller calls Close, also after Run.
func New(ctx context.Context, c Config, log *slog.Logger) (*App, error) {
	return newApp(ctx, c, log, openStore)
}

func newApp(ctx context.Context, c Config, log *slog.Logger, open opener) (*App, error) {
	a := &App{log: log}
	if err := a.open(ctx, c, open); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *App) open(ctx context.Context, c Config, open opener) error {
	var err error
	// The port first: there is no use in opening the folder, which may take a migration, for a server that cannot be reached.
	if a.public, err = listen(c); err != nil {
		return err
	}
	if a.folder, err = openFolder(ctx, c.DataFolder(), c.Store, a.log, open); err != nil {
		return err
	}
	a.folder.directory.AddWebmail(c.Webmail...)
	if a.folder.registry, err = c.registry(); err != nil {
		return fmt.Errorf("schemas: %w", err)
	}
	if a.socket, err = listenSocket(c.DataFolder()); err != nil {
		return err
	}
	a.url = c.publicURL(a.public.Addr())
	if insecure(a.url) {
		a.log.LogAttrs(ctx, slog.LevelWarn, "nobody can sign in over plain http: browsers keep the cookies of a sign-in only over https; set public_url to an https address")
	}
	if a.signOn, err = a.folder.signOn(a.url, c.SignOn); err != nil {
		return fmt.Errorf("single sign-on: %w", err)
	}
	handler, err := scim.NewHandler(scim.Config{
		Registry: a.folder.registry, Directory: a.folder.directory, Store: a.folder.store, Authenticate: a.authenticate,
		BaseURL: a.SCIMBase(), Limits: c.Limits.scim(), Logger: a.log, CursorKey: a.folder.cursorKey,
	})
	if err != nil {
		return fmt.Errorf("scim: %w", err)
	}
	a.storeQuirks = func(ctx context.Context) error { return handler.StoreQuirks(ctx, a.folder.store) }
	if c.Mail.Sends() {
		a.mail, err = mail.NewWorker(c.Mail, a.folder.store, func(m store.Mail) string { return a.folder.links.URL(a.url, m) }, nil, a.log)
		if err != nil {
			return fmt.Errorf("mail: %w", err)
		}
		a.folder.directory.Posted = a.mail.Wake
	}
	admin := a.folder.admin(adminapi.Config{StoreQuirks: a.storeQuirks, SendsMail: c.Mail.Sends(), SignOn: a.signOn, Serves: true})
	pages, err := setup.NewHandler(setup.Config{
		Store: a.folder.store, Directory: a.folder.directory, Users: scim.NewUsers(a.folder.registry, a.folder.store),
		Hasher: a.folder.hasher, Logger: a.log,
	})
	if err != nil {
		return fmt.Errorf("set-up: %w", err)
	}
	proxies, err := prefixes(c.TrustedProxies)
	if err != nil {
		return fmt.Errorf("trusted_proxies: %w", err)
	}
	a.admin, a.routes = admin, behindProxies(proxies, routes(handler, admin.Public(), pages, a.signOn, a.folder.ready))
	return nil
}

// SCIMBase is the public address of the SCIM endpoint.
func (a *App) SCIMBase() string { return a.url + scimPath }

// AdminBase is the public address of the admin API.
func (a *App) AdminBase() string { return a.url + adminPath + "/v1" }

// SignInURL is where people of a company sign in.
func (a *App) SignInURL(company string) string { return a.url + sso.Path + "/" + company }

// SignOn is where people sign in.
func (a *App) SignOn() *sso.Handler { return a.signOn }

// Admin is the admin API of the server's folder.
func (a *App) Admin() http.Handler { return a.admin }

// collectLess lets more garbage gather before it is collected than Go does by itself. A server keeps little in memory and makes a lot of
// garbage: some tens of megabytes more save about a tenth of the processor time. The environment variable GOGC has the last word.
func collectLess() {
	const percent = 400
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// Run finishes what an earlier process has left undone, then serves until the context ends, and returns when the requests that
// had begun are answered. It returns nil for a stop that was asked for.
func (a *App) Run(ctx context.Context) error {
	collectLess()
	if err := a.folder.directory.Resume(ctx); err != nil && ctx.Err() == nil {
		// What is open stays open and is tried again by maintain; people must be able to leave meanwhile.
		a.log.LogAttrs(ctx, slog.LevelError, "an earlier change could not be finished", slog.String("error", err.Error()))
	}
	g, ctx := errgroup.WithContext(ctx)
	a.serve(ctx, g, a.public, a.routes)
	a.serve(ctx, g, a.socket, a.admin)
	g.Go(func() error { return a.maintain(ctx) })
	if a.mail != nil {
		g.Go(func() error { return a.mail.Run(ctx) })
	}
	a.log.LogAttrs(ctx, slog.LevelInfo, "serving", slog.String("addr", a.public.Addr().String()), slog.String("scim_base", a.SCIMBase()))
	err := g.Wait()
	a.keepQuirks(context.WithoutCancel(ctx))
	a.log.LogAttrs(context.WithoutCancel(ctx), slog.LevelInfo, "stopped")
	return err
}

// serve answers what comes in on the listener until the context ends.
func (a *App) serve(ctx context.Context, g *errgroup.Group, l net.Listener, h http.Handler) {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	}
	g.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", l.Addr(), err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		if err := server.Shutdown(limit); err != nil {
			server.Close()
			return fmt.Errorf("requests were cut off after %v: %w", shutdownTimeout, err)
		}
		return nil
	})
}

// maintain does what falls due by time, and ends the server when the store has stopped after a failed write to the disk.
func (a *App) maintain(ctx context.Context) error {
	ticker, quirks := time.NewTicker(maintainEvery), time.NewTicker(storeQuirksEvery)
	defer ticker.Stop()
	defer quirks.Stop()
	var resume <-chan time.Time
	if a.folder.directory.Shared {
		t := time.NewTicker(resumeEvery)
		defer t.Stop()
		resume = t.C
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-quirks.C:
			a.keepQuirks(ctx)
		case <-a.folder.store.Failed():
			return errors.New("the data folder could not be written to, so the server has stopped: look at the disk, then start it again")
		case <-resume:
			err = a.folder.directory.ResumeSweeps(ctx)
		case <-ticker.C:
			err = errors.Join(a.folder.directory.Maintain(ctx), a.admin.Maintain(ctx), a.signOn.Maintain(ctx))
		}
		if err != nil && ctx.Err() == nil {
			a.log.LogAttrs(ctx, slog.LevelError, "maintenance failed; it is tried again within a minute", slog.String("error", err.Error()))
		}
	}
}

// keepQuirks stores the counts of quirks. They are for people to look at: nothing depends on them.
func (a *App) keepQuirks(ctx context.Context) {
	if err := a.storeQuirks(ctx); err != nil && ctx.Err() == nil {
		a.log.LogAttrs(ctx, slog.LevelWarn, "the counts of quirks could not be stored; it is tried again", slog.String("error", err.Error()))
	}
}

// Close closes the listeners and the data folder.
func (a *App) Close() error {
	var errs []error
	for _, l := range []net.Listener{a.public, a.socket} {
		if l == nil {
			continue
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if a.signOn != nil {
		a.signOn.Settle()
	}
	if a.folder != nil {
		errs = append(errs, a.folder.Close())
	}
	return errors.Join(errs...)
}
