package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"usher": main, "usher-storm": stormClient})
}

// TestScript runs the command line as a shell would; see testdata/script. Beside the commands of testscript there are:
//
//	status N usher ...     runs the program, which must leave with status N and, if it is not 0, one line on stderr
//	start MARK usher ...   runs the program in the background until it has printed a line with MARK on either output, and keeps
//	                       that line in the file "started"
//	stop                   interrupts that program, which must leave with status 0
//	field NAME FILE VAR    sets a variable to a member of the JSON object in a file; "stdout" is the output of the last command
//	scim N METHOD PATH [FILE]  sends a request with the body in FILE to $BASE with the token $TOKEN, which must be answered with
//	                       status N, and keeps the answer in the file "answer"
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("SUDO_USER", "olga")
			e.Values[background{}] = &background{}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"status": status, "start": start, "stop": stop, "field": field, "scim": scim,
		},
	})
}

func status(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
	if said := strings.TrimSpace(ts.ReadFile("stderr")); want != 0 && (said == "" || strings.Contains(said, "\n")) {
		ts.Fatalf("want one line on stderr, got %q", said)
	}
}

// background is the program that a script has started.
type background struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when all that it printed was read
}

func start(ts *testscript.TestScript, _ bool, args []string) {
	b := ts.Value(background{}).(*background)
	b.cmd = exec.Command(args[1], args[2:]...)
	b.cmd.Dir = ts.MkAbs(".")
	b.done = make(chan struct{})
	// One pipe for both outputs, so that the mark is found on either.
	r, w, err := os.Pipe()
	ts.Check(err)
	b.cmd.Stdout, b.cmd.Stderr = w, w
	ts.Check(b.cmd.Start())
	ts.Check(w.Close())
	ts.Defer(func() { b.cmd.Process.Kill() })
	lines := bufio.NewReader(r)
	var said strings.Builder
	for {
		line, err := lines.ReadString('\n')
		said.WriteString(line)
		if err != nil {
			ts.Fatalf("the program ended before it printed %q: %s", args[0], &said)
		}
		if strings.Contains(line, args[0]) {
			ts.Check(os.WriteFile(ts.MkAbs("started"), []byte(line), 0o600))
			break
		}
	}
	go func() {
		defer close(b.done)
		io.Copy(io.Discard, lines)
	}()
}

func stop(ts *testscript.TestScript, _ bool, _ []string) {
	b := ts.Value(background{}).(*background)
	ts.Check(b.cmd.Process.Signal(os.Interrupt))
	stuck := time.AfterFunc(30*time.Second, func() { b.cmd.Process.Kill() })
	defer stuck.Stop()
	<-b.done
	ts.Check(b.cmd.Wait())
}

func field(ts *testscript.TestScript, _ bool, args []string) {
	var object map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &object))
	value, ok := object[args[0]]
	if !ok {
		ts.Fatalf("no %q in %s", args[0], args[1])
	}
	ts.Setenv(args[2], fmt.Sprint(value))
}

func scim(ts *testscript.TestScript, _ bool, args []string) {
	body := ""
	if len(args) > 3 {
		body = ts.ReadFile(args[3])
	}
	req, err := http.NewRequest(args[1], ts.Getenv("BASE")+args[2], strings.NewReader(body))
	ts.Check(err)
	req.Header.Set("Authorization", "Bearer "+ts.Getenv("TOKEN"))
	req.Header.Set("Content-Type", "application/scim+json")
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("answer"), answer, 0o600))
	if fmt.Sprint(resp.StatusCode) != args[0] {
		ts.Fatalf("answered with %d, want %s: %s", resp.StatusCode, args[0], answer)
	}
}
