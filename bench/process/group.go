package process

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// OwnGroup is the directory of the control group that the calling thread is in:
// for a version 1 controller such as "cpu", or for "" the version 2 hierarchy.
// The error wraps fs.ErrNotExist where there is none.
func OwnGroup(controller string) (string, error) { return groupOf("thread-self", controller) }

// GroupOf is [OwnGroup] for another process.
func GroupOf(pid int, controller string) (string, error) {
	return groupOf(strconv.Itoa(pid), controller)
}

func groupOf(process, controller string) (string, error) {
	path, err := groupPath(process, controller)
	if err != nil {
		return "", err
	}
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("find the control groups: %w", err)
	}
	defer mounts.Close()
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		// 36 35 98:0 /root /mount/point options ... - type source superoptions
		before, after, _ := strings.Cut(lines.Text(), " - ")
		place, kind := strings.Fields(before), strings.Fields(after)
		if len(place) < 5 || len(kind) < 3 {
			continue
		}
		v2 := controller == "" && kind[0] == "cgroup2"
		v1 := controller != "" && kind[0] == "cgroup" && slices.Contains(strings.Split(kind[2], ","), controller)
		if v1 || v2 {
			inside := path
			if place[3] != "/" {
				inside = strings.TrimPrefix(path, place[3])
			}
			return filepath.Join(place[4], inside), nil
		}
	}
	return "", fmt.Errorf("control groups, controller %q: not mounted: %w", controller, fs.ErrNotExist)
}

// groupPath reads a process' path within a hierarchy.
func groupPath(process, controller string) (string, error) {
	b, err := os.ReadFile(filepath.Join("/proc", process, "cgroup"))
	if err != nil {
		return "", fmt.Errorf("find a control group: %w", err)
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		f := strings.SplitN(line, ":", 3) // 2:cpuacct,cpu:/path
		if len(f) == 3 && slices.Contains(strings.Split(f[1], ","), controller) {
			return f[2], nil
		}
	}
	return "", fmt.Errorf("control groups, controller %q: not there: %w", controller, fs.ErrNotExist)
}

func isV2(group string) bool {
	_, err := os.Stat(filepath.Join(group, "cgroup.controllers"))
	return err == nil
}

// inGroups calls start so that the child is born in the groups, never for a
// moment outside: version 2 has a way for that; for version 1 our own thread
// joins for the time of the start. The calling goroutine must be locked to its
// thread.
func inGroups(groups []string, attr *syscall.SysProcAttr, start func() error) (err error) {
	var homes []string
	defer func() {
		for _, home := range homes {
			err = errors.Join(err, join(home))
		}
	}()
	for _, g := range groups {
		if isV2(g) {
			dir, err := os.Open(g)
			if err != nil {
				return fmt.Errorf("join control group: %w", err)
			}
			defer dir.Close()
			attr.UseCgroupFD, attr.CgroupFD = true, int(dir.Fd())
			continue
		}
		home, err := v1Home(g)
		if err != nil {
			return err
		}
		homes = append(homes, home)
		if err := join(g); err != nil {
			return err
		}
	}
	return start()
}

// v1Home is where our thread is now in the hierarchy that holds group.
func v1Home(group string) (string, error) {
	var root unix.Stat_t
	if err := unix.Stat(group, &root); err != nil {
		return "", fmt.Errorf("control group %s: %w", group, err)
	}
	for _, controller := range []string{"cpu", "cpuacct"} {
		home, err := OwnGroup(controller)
		if err != nil {
			continue
		}
		var st unix.Stat_t
		if unix.Stat(home, &st) == nil && st.Dev == root.Dev {
			return home, nil
		}
	}
	return "", fmt.Errorf("control group %s: not in a hierarchy of cpu or cpuacct", group)
}

func join(group string) error {
	tid := strconv.Itoa(unix.Gettid())
	if err := os.WriteFile(filepath.Join(group, "tasks"), []byte(tid), 0); err != nil {
		return fmt.Errorf("join control group: %w", err)
	}
	return nil
}

// removeGroup kills what is left in a group of ours and removes it. A group
// that is gone already is fine.
func removeGroup(dir string) error {
	const tries = 200 // of 10 ms: a killed process leaves its group only when it is dead
	var err error
	for range tries {
		if err = os.Remove(dir); err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		b, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		for f := range strings.FieldsSeq(string(b)) {
			if pid, _ := strconv.Atoi(f); pid > 0 && pid != os.Getpid() {
				unix.Kill(pid, unix.SIGKILL)
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("remove control group: %w", err)
}
