package report

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab opens a tab of a real browser. A browser that is not there fails the test.
func tab(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a browser: make test")
	}
	options := chromedp.DefaultExecAllocatorOptions[:]
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's sandbox refuses to run as root
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("no Chromium could be started (%v): make test installs one", err)
	}
	limited, stopWaiting := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(stopWaiting)
	return limited
}

// watched gathers what a page says and asks for.
type watched struct {
	mu       sync.Mutex
	complain []string
	requests []string
}

func watch(t *testing.T, ctx context.Context) *watched {
	t.Helper()
	w := &watched{}
	err := chromedp.Listen(ctx, func(ev any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		switch e := ev.(type) {
		case *runtime.EventExceptionThrown:
			w.complain = append(w.complain, "exception")
		case *runtime.EventConsoleAPICalled:
			w.complain = append(w.complain, "console")
		case *log.EventEntryAdded:
			w.complain = append(w.complain, e.Entry.Text)
		case *network.EventRequestWillBeSent:
			w.requests = append(w.requests, e.Request.URL)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func evaluate[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return v
}

func TestPageInABrowser(t *testing.T) {
	run, trials, verdicts := wholeRun(t)
	f := rendered(t, run, trials, verdicts, gobenchOutput(t))
	charts := len(everyChart(run)) - 1 // the summary is the verdicts themselves
	lookAt(t, f.Path("report.html"), charts, func(t *testing.T, ctx context.Context) {
		if n := evaluate[int](t, ctx, `document.querySelectorAll("article.verdict").length`); n != len(run.Rules) {
			t.Errorf("%d verdicts are shown, the run has %d rules", n, len(run.Rules))
		}
		if n := evaluate[int](t, ctx, `document.querySelectorAll(".findings > li").length`); n != 3 {
			t.Errorf("the page opens with %d findings", n)
		}
		ends := evaluate[float64](t, ctx, `innerWidth < 1000 ? 0 : document.querySelector(".sides").getBoundingClientRect().bottom / innerHeight`)
		if ends > 1 {
			t.Errorf("findings, trust and choice take %.2f screens of a desk", ends)
		}
	})
}

// lookAt opens a page in a browser on a desk, in the dark and on a telephone: it
// fits, shows so many charts and asks for nothing from outside.
func lookAt(t *testing.T, name string, charts int, more func(t *testing.T, ctx context.Context)) {
	t.Helper()
	path, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	address := (&url.URL{Scheme: "file", Path: path}).String()
	ctx := tab(t)
	seen := watch(t, ctx)
	for _, c := range []struct {
		name, scheme  string
		width, height int64
	}{{"desk", "light", 1200, 900}, {"desk in the dark", "dark", 1200, 900}, {"telephone", "light", 420, 800}} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: c.scheme}}}); err != nil {
				t.Fatal(err)
			}
			if err := chromedp.Do(ctx, chromedp.EmulateViewport(c.width, c.height), chromedp.Navigate(address)); err != nil {
				t.Fatal(err)
			}
			more(t, ctx)
			shown := evaluate[int](t, ctx, `[...document.querySelectorAll("figure svg")].map(s => s.getBoundingClientRect()).
				filter(r => r.width > 300 && r.height > 100).length`)
			if shown != charts {
				t.Errorf("%d charts are visible, want %d", shown, charts)
			}
			if w := evaluate[int64](t, ctx, `document.documentElement.scrollWidth`); w > c.width {
				t.Errorf("the page is %d pixels wide on a screen of %d", w, c.width)
			}
			cut := evaluate[[]string](t, ctx, `[...document.querySelectorAll("figure svg")].flatMap(s => {
				const box = s.getBoundingClientRect();
				const outside = r => r.left < box.left - 1 || r.right > box.right + 1 || r.top < box.top - 1 || r.bottom > box.bottom + 1;
				return box.width === 0 ? [] : [...s.querySelectorAll("text")].filter(x => outside(x.getBoundingClientRect()))
					.map(x => s.getAttribute("aria-label").slice(0, 40) + ": " + x.textContent) })`)
			for _, text := range cut {
				t.Errorf("cut off: %s", text)
			}
			ground := evaluate[string](t, ctx, `getComputedStyle(document.body).backgroundColor`)
			if dark := ground == "rgb(10, 13, 18)"; dark != (c.scheme == "dark") {
				t.Errorf("the %s page has the background %s", c.scheme, ground)
			}
		})
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if len(seen.complain) > 0 {
		t.Errorf("the browser complains: %v", seen.complain)
	}
	if len(seen.requests) == 0 {
		t.Error("no request was seen at all: the test watches the wrong thing")
	}
	for _, r := range seen.requests {
		if r != address && !strings.HasPrefix(r, "data:") {
			t.Errorf("the page asks for %s", r)
		}
	}
}
