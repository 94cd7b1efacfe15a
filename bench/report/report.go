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
	"os"
	"path/filepath"
	"slices"
	"strings"

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
	files, err := texts(d, doc, gobench)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	for _, f := range doc.figures() {
		if files["charts/"+f.ID+".png"], err = pngOf(framed{f}, wide); err != nil {
			return fmt.Errorf("report: chart %s: %w", f.ID, err)
		}
	}
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
