package sqlite

import (
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrations gives the scripts that make the schema: the first makes version 1 of nothing, each other one version of the one
// before it. A script that has been released is never changed.
func migrations() []string {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql") // sorted
	if err != nil {
		panic(err) // the pattern is a constant
	}
	var scripts []string
	for _, name := range names {
		script, err := migrationFiles.ReadFile(name)
		if err != nil {
			panic(err) // the file was listed a moment ago, and both are part of the program
		}
		scripts = append(scripts, string(script))
	}
	return scripts
}

// migrate brings the database to the version of the last script, each script in a transaction of its own.
func migrate(c *conn, scripts []string, log *slog.Logger) error {
	if err := c.script("CREATE TABLE IF NOT EXISTS meta (k TEXT PRIMARY KEY, v) WITHOUT ROWID"); err != nil {
		return err
	}
	version, err := c.integer("SELECT v FROM meta WHERE k = 'version'")
	if err != nil {
		return err
	}
	if version > int64(len(scripts)) {
		return fmt.Errorf("sqlite: the database has version %d and this usher knows versions up to %d: use the newer usher that wrote it", version, len(scripts))
	}
	for ; version < int64(len(scripts)); version++ {
		log.Info("migrating the database", "from", version, "to", version+1)
		script := fmt.Sprintf("BEGIN IMMEDIATE;\n%s;\nINSERT OR REPLACE INTO meta (k, v) VALUES ('version', %d);\nCOMMIT;", scripts[version], version+1)
		if err := c.script(script); err != nil {
			return fmt.Errorf("migration to version %d: %w", version+1, err) // closing the connection rolls back
		}
	}
	return nil
}
