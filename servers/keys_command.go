package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"authbench/servers/token"
)

const keysUsage = `server keys ACTION -keys DIR -alg ALG: change the keys under running replicas.

  stage     make a key that verifies and does not sign yet; prints its kid
  promote   let the staged key -kid sign, once it has been there for -settle;
            the old key verifies for -settle and -life more, then never
  retire    delete the files of keys whose time is over
  rotate    retire, stage, wait for -settle, promote; prints the new kid
  remove    end the key -kid at once, for one that strangers know: replicas
            refuse its tokens from their next reading of the folder

`

// keysCommand runs `server keys`: args are what follows. It prints kids to
// stdout, one a line.
func keysCommand(ctx context.Context, args []string, stdout io.Writer) error {
	fs := flag.NewFlagSet("server keys", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	var f token.Folder
	var t token.Timing
	var kid string
	fs.StringVar(&f.Dir, "keys", "", "`directory` of the keys, as the replicas have it")
	fs.StringVar(&f.Alg, "alg", "HS256", "signature of tokens: "+strings.Join(token.Algorithms(), ", "))
	fs.StringVar(&kid, "kid", "", "`name` of the key to promote or remove")
	fs.DurationVar(&t.Settle, "settle", 5*time.Second,
		"`time` within which everybody has read the keys again: some of the replicas' -keys-poll, or as long as strangers keep the JWKS")
	fs.DurationVar(&t.Life, "life", time.Hour+token.MaxLeeway, "longest `time` that a token is accepted: the replicas' -lifetime and -leeway")
	if len(args) == 0 || args[0] == "-h" || args[0] == "-help" || args[0] == "--help" {
		fmt.Fprint(stdout, keysUsage)
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return flag.ErrHelp
	}
	action := args[0]
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	switch {
	case fs.NArg() > 0:
		return fmt.Errorf("unexpected argument %q, see server keys -h", fs.Arg(0))
	case f.Dir == "":
		return errors.New("-keys: want the directory of the keys")
	case kid == "" && (action == "promote" || action == "remove"):
		return fmt.Errorf("-kid: want the key to %s", action)
	case t.Settle < 0 || t.Life <= 0:
		return errors.New("-settle and -life: want a time")
	}
	switch action {
	case "stage":
		return printed(stdout)(f.Stage())
	case "promote":
		return f.Promote(kid, t)
	case "retire":
		n, err := f.Retire(time.Now())
		fmt.Fprintln(stdout, n)
		return err
	case "rotate":
		return printed(stdout)(f.Rotate(ctx, t))
	case "remove":
		return f.Remove(kid)
	}
	return fmt.Errorf("unknown action %q: want stage, promote, retire, rotate or remove", action)
}

// printed prints a kid, which an error may come with.
func printed(w io.Writer) func(kid string, err error) error {
	return func(kid string, err error) error {
		if kid != "" {
			fmt.Fprintln(w, kid)
		}
		return err
	}
}
