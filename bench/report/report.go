// Package report shows what a run found: a page that works offline, REPORT.md,
// charts as SVG and PNG, Go-benchmark-format lines and a table for the terminal.
//
// In come a run's manifest, its trials and the verdicts that package analysis
// drew from them; out come files in the run's folder. It measures nothing:
// everything is made anew from the folder alone, the same bytes each time.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"authbench/bench/trial"
)

// Write makes a run's report in its folder: report.html, REPORT.md, charts/,
// bench.txt and verdicts.json. gobench is the output of the Go micro-benchmarks;
// it may be empty.
func Write(folder trial.Folder, run trial.Run, trials []trial.Trial, verdicts []trial.Verdict, gobench string) error {
	d := newData(run, trials, verdicts, gobench)
	if len(d.micro) == 0 && gobench != "" {
		return errors.New("report: gobench.txt holds no result of a Go benchmark: delete it and resume the run to make it again")
	}
	doc := newDocument(d)
	var files, images map[string][]byte
	var both errgroup.Group
	both.Go(func() (err error) { images, err = pngs(doc.figures()); return err })
	both.Go(func() (err error) { files, err = texts(d, doc, gobench); return err })
	if err := both.Wait(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	maps.Copy(files, images)
	if err := folder.WriteFiles(files); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := removeOldCharts(folder, files); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// texts renders all files of a report but the PNG ones, by their names.
func texts(d *data, doc document, gobench string) (files map[string][]byte, err error) {
	files = map[string][]byte{"REPORT.md": []byte(markdownText(doc)), benchFile: []byte(benchText(d, gobench))}
	if files["report.html"], err = pageText(doc); err != nil {
		return nil, err
	}
	told := []toldVerdict{}
	for _, v := range d.verdicts {
		told = append(told, toldVerdict{v, Why(v), Warnings(v)})
	}
	b, err := json.MarshalIndent(told, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("verdicts.json: %w", err)
	}
	files["verdicts.json"] = append(b, '\n')
	for _, f := range doc.figures() {
		if files["charts/"+f.ID+".svg"], err = svgOf(framed{f}, wide); err != nil {
			return nil, fmt.Errorf("chart %s: %w", f.ID, err)
		}
	}
	return files, nil
}

// pngs renders charts by their files' names, as many at once as there are CPUs: no
// other part of a report takes as long.
func pngs(figures []figure) (map[string][]byte, error) {
	images := make([][]byte, len(figures))
	var workers errgroup.Group
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for i, f := range figures {
		workers.Go(func() (err error) {
			if images[i], err = pngOf(framed{f}, wide); err != nil {
				err = fmt.Errorf("chart %s: %w", f.ID, err)
			}
			return err
		})
	}
	err := workers.Wait()
	files := map[string][]byte{}
	for i, f := range figures {
		files["charts/"+f.ID+".png"] = images[i]
	}
	return files, err
}

// toldVerdict is a verdict as verdicts.json holds it, with its words.
type toldVerdict struct {
	trial.Verdict
	Why      string   `json:"why"`
	Warnings []string `json:"warnings,omitempty"`
}

// removeOldCharts takes away the charts of an earlier report that this one does not have.
func removeOldCharts(folder trial.Folder, files map[string][]byte) error {
	there, err := os.ReadDir(folder.Path("charts"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range there {
		chart := slices.Contains([]string{".svg", ".png"}, filepath.Ext(e.Name())) && !strings.HasPrefix(e.Name(), ".")
		if _, ours := files["charts/"+e.Name()]; chart && !ours {
			if err := os.Remove(folder.Path("charts", e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
