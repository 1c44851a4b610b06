package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"

	"usher/cmd/internal/adminapi"
	"usher/cmd/internal/app"
)

// folder is the flags of a command that works on a data folder.
type folder struct {
	Data string `help:"The data folder." default:"usher-data" type:"path" placeholder:"DIR"`
	JSON bool   `name:"json" help:"Print JSON."`
}

// storeVariable is the environment variable with the address of the database that has the records, so that its password need not stand in a file
// or on a command line. It goes before what the configuration says.
const storeVariable = "USHER_STORE"

// with calls do with a client for the folder's admin API: that of the server that runs on it, else of the folder opened here.
func (f folder) with(env *environment, do func(c *adminapi.Client) error) error {
	if _, err := os.Stat(f.Data); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no data folder %s: name it by --data, or make one with \"usher company create\"", f.Data)
	}
	client, err := adminapi.Dial(env.ctx, app.Socket(f.Data), operator())
	if err == nil {
		return do(client)
	}
	if !errors.Is(err, adminapi.ErrNoServer) {
		return err
	}
	opened, err := app.OpenFolder(env.ctx, f.Data, os.Getenv(storeVariable), slog.New(slog.NewJSONHandler(env.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return err
	}
	return errors.Join(do(adminapi.InProcess(opened.Admin(), operator())), opened.Close())
}

// operator is the name under which the audit log shows what is done from the command line: the person's own, also under sudo.
func operator() string {
	if name := os.Getenv("SUDO_USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}
