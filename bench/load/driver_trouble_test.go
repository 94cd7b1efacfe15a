package load

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"authbench/bench/trial"
)

// rawServer answers each request, whose number counts over all connections,
// with what answer does to the connection. It closes it when answer says so.
func rawServer(t *testing.T, answer func(c net.Conn, request int) (goOn bool)) trial.Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var requests atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for r := bufio.NewReader(c); ; {
					if _, err := http.ReadRequest(r); err != nil || !answer(c, int(requests.Add(1))) {
						return
					}
				}
			}()
		}
	}()
	return trial.Target{URL: "http://" + l.Addr().String(), Path: "/me", Credentials: []trial.Credential{{User: "a"}}, CheckUser: true}
}

const aBody = `{"sub":"a","replica":"r1"}`

func answerWith(head string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s", head, len(aBody), aBody)
}

func TestAnswersOfATroubledServer(t *testing.T) {
	always := func(text string, goOn bool) func(net.Conn, int) bool {
		return func(c net.Conn, _ int) bool { c.Write([]byte(text)); return goOn }
	}
	bytewise := func(text string) func(net.Conn, int) bool {
		return func(c net.Conn, _ int) bool {
			for i := range len(text) {
				c.Write([]byte{text[i]})
			}
			return true
		}
	}
	chunked := fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n",
		aBody[:3], len(aBody)-3, aBody[3:])
	for _, c := range []struct {
		name, outcome string
		reconnects    bool // at each request
		answer        func(net.Conn, int) bool
	}{
		{"byte by byte", trial.Success, false, bytewise(answerWith("200 OK"))},
		{"chunked", trial.Success, false, always(chunked, true)},
		{"chunked byte by byte", trial.Success, false, bytewise(chunked)},
		{"says that it closes", trial.Success, true, always(answerWith("200 OK\r\nConnection: close"), false)},
		{"body until it closes", trial.Success, true, always("HTTP/1.1 200 OK\r\n\r\n"+aBody, false)},
		{"answers twice", trial.Success, true, always(answerWith("200 OK")+answerWith("200 OK"), true)},
		{"503", trial.Failed, false, always(answerWith("503 Service Unavailable"), true)},
		{"401", trial.Refused, false, always(answerWith("401 Unauthorized"), true)},
		{"403", trial.Refused, false, always(answerWith("403 Forbidden"), true)},
		{"429", trial.Shed, false, always(answerWith("429 Too Many Requests"), true)},
		{"302", trial.Other, false, always(answerWith("302 Found"), true)},
		{"wrong user", trial.WrongUser, false, always(strings.Replace(answerWith("200 OK"), `"a"`, `"b"`, 1), true)},
		{"no user", trial.WrongUser, false, always("HTTP/1.1 204 No Content\r\n\r\n", true)},
		{"page instead of JSON", trial.WrongUser, false, always("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", true)},
		{"garbage", trial.Transport, true, always("garbage\r\n\r\n", true)},
		{"half an answer", trial.Transport, true, always(answerWith("200 OK")[:60], false)},
		{"no answer", trial.Transport, true, always("", false)},
		{"too large", trial.Transport, true, always("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", maxResponse), true)},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := driver(t, rawServer(t, c.answer), Load{Connections: 4})
			m := run(t, d, Phase{Name: c.name, Mode: trial.Open, Rate: 100, Seconds: 0.3})
			// Where every connection breaks, the pauses before the next leave a few
			// requests without any.
			broken := c.outcome == trial.Transport && m.Dropped < 10
			if n := m.Outcomes[c.outcome]; n != 30 && !(broken && n == m.Completed) {
				t.Errorf("outcomes %v, want 30 x %s; notes %q", m.Outcomes, c.outcome, m.Notes)
			}
			if c.reconnects != (m.Reconnects > 10) {
				t.Errorf("%d reconnects", m.Reconnects)
			}
			if c.outcome == trial.Transport && len(m.Notes) == 0 {
				t.Error("no note says what broke")
			}
		})
	}
}

func TestServerThatClosesSilentlyAfterAnAnswer(t *testing.T) {
	target := rawServer(t, func(c net.Conn, n int) bool {
		c.Write([]byte(answerWith("200 OK")))
		return n%10 != 0
	})
	d := driver(t, target, Load{Connections: 4})
	m := run(t, d, Phase{Name: "closes", Mode: trial.Open, Rate: 200, Seconds: 0.5})
	if m.Reconnects < 9 || m.Reconnects > 10 {
		t.Errorf("%d reconnects; the server hung up 10 times", m.Reconnects)
	}
	if m.Outcomes[trial.Success] < 95 { // a request may meet the end of its connection
		t.Errorf("outcomes %v", m.Outcomes)
	}
}

func TestTimeOut(t *testing.T) {
	target := rawServer(t, func(c net.Conn, n int) bool {
		if n != 5 {
			c.Write([]byte(answerWith("200 OK")))
		}
		return true
	})
	d := driver(t, target, Load{Connections: 4})
	d.g.timeout = 300 * time.Millisecond
	m := run(t, d, Phase{Name: "silent", Mode: trial.Open, Rate: 100, Seconds: 0.2})
	if m.Outcomes[trial.Transport] != 1 || m.Outcomes[trial.Success] != 19 {
		t.Errorf("outcomes %v", m.Outcomes)
	}
	if q := m.Latency[trial.Transport].Max(); q < d.g.timeout {
		t.Errorf("the time-out was counted after %v", q)
	}
	if m.Seconds < 0.3 {
		t.Errorf("seconds %v leave out the wait for the last answer", m.Seconds)
	}
}

func TestNobodyListens(t *testing.T) {
	target := trial.Target{URL: "http://" + freeAddress(t), Path: "/me", Credentials: credentials(4)}
	for _, p := range []Phase{
		{Name: "open", Mode: trial.Open, Rate: 100, Seconds: 0.5},
		{Name: "closed", Mode: trial.Closed, Concurrency: 4, Seconds: 0.5},
	} {
		d := driver(t, target, Load{Connections: 4})
		m := run(t, d, p)
		// Four connections with pauses of 20 ms and more: no storm of attempts.
		if n := m.Outcomes[trial.Transport]; n != m.Completed || n < 4 || n > 100 || !strings.Contains(strings.Join(m.Notes, " "), "refused") {
			t.Errorf("%s: offered %d, outcomes %v, dropped %d, notes %q", p.Name, m.Offered, m.Outcomes, m.Dropped, m.Notes)
		}
	}
}

func TestServerThatHangsUpOnEverybody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var accepted atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			c.Close()
		}
	}()
	d := driver(t, trial.Target{URL: "http://" + l.Addr().String(), Path: "/me", Credentials: credentials(4)}, Load{Connections: 4})
	m := run(t, d, Phase{Name: "hang up", Mode: trial.Open, Rate: 100, Seconds: 0.5})
	if n := accepted.Load(); n > 200 {
		t.Errorf("%d connections in half a second: a busy loop", n)
	}
	if m.Outcomes[trial.Success] != 0 || m.Completed == 0 {
		t.Errorf("outcomes %v", m.Outcomes)
	}
}

// A server that comes back within a phase is found again.
func TestServerThatComesBack(t *testing.T) {
	address := freeAddress(t)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		time.Sleep(200 * time.Millisecond) // the outage itself
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		s := http.Server{Handler: http.HandlerFunc(me)}
		go s.Serve(l)
		<-stop
		s.Close()
	}()
	defer func() { close(stop); <-done }()
	d := driver(t, trial.Target{URL: "http://" + address, Path: "/me", Credentials: credentials(10), CheckUser: true}, Load{Connections: 4})
	m := run(t, d, Phase{Name: "back", Mode: trial.Open, Rate: 200, Seconds: 1})
	if m.Outcomes[trial.Success] < 100 || m.Outcomes[trial.Transport] == 0 ||
		m.Outcomes[trial.Success]+m.Outcomes[trial.Transport] != m.Completed {
		t.Errorf("outcomes %v, dropped %d, notes %q", m.Outcomes, m.Dropped, m.Notes)
	}
}

// The loop keeps its processor while it waits; it must not hold up the rest of
// the process, above all not the garbage collector, which stops the world.
func TestOthersWorkMeanwhile(t *testing.T) {
	d := driver(t, serve(t, me), Load{Connections: 2})
	stop, collected := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				collected <- n
				return
			default:
				runtime.GC()
				n++
			}
		}
	}()
	run(t, d, Phase{Name: "beside", Mode: trial.Open, Rate: 20, Seconds: 1})
	close(stop)
	if n := <-collected; n < 5 {
		t.Errorf("%d collections in a second", n)
	}
}
