package stack

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// ordinary is the user that nginx and the stores run as: PostgreSQL refuses to
// run as root, and the others have no need to. The zero value is ourselves.
type ordinary struct {
	name     string
	uid, gid uint32
}

// ordinaryUser is ourselves, or, when we are root, the user of a PostgreSQL
// package or else nobody.
func ordinaryUser() (ordinary, error) {
	if os.Getuid() != 0 {
		return ordinary{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errU := strconv.ParseUint(u.Uid, 10, 32)
		gid, errG := strconv.ParseUint(u.Gid, 10, 32)
		if errU == nil && errG == nil && uid != 0 {
			return ordinary{name, uint32(uid), uint32(gid)}, nil
		}
	}
	return ordinary{}, fmt.Errorf("we are root, and there is no user postgres or nobody to run PostgreSQL as: " +
		"run authbench as an ordinary user")
}

func (o ordinary) credential() *syscall.Credential {
	if o.name == "" {
		return nil
	}
	return &syscall.Credential{Uid: o.uid, Gid: o.gid}
}

// own hands a file or folder to the user.
func (o ordinary) own(path string) error {
	if o.name == "" {
		return nil
	}
	if err := os.Chown(path, int(o.uid), int(o.gid)); err != nil {
		return fmt.Errorf("hand a folder to user %s: %w", o.name, err)
	}
	return nil
}
