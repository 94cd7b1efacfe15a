// Package report shows what a run found: a page that works offline, REPORT.md,
// charts as SVG and PNG, Go-benchmark-format lines and a table for the terminal.
//
// In come a run's manifest, its trials and the verdicts that package analysis
// drew from them; out come files in the run's folder. It measures nothing:
// everything is made anew from the folder alone, the same bytes each time.
package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"authbench/bench/trial"
)

// Write makes a run's report in its folder: report.html, REPORT.md, charts/,
// bench.txt and verdicts.json. gobench is the output of the Go micro-benchmarks;
// it may be empty.
func Write(folder trial.Folder, run trial.Run, trials []trial.Trial, verdicts []trial.Verdict, gobench string) error {
	d := newData(run, trials, verdicts, gobench)
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
	if err := removeCharts(folder); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	for name, content := range files {
		if err := writeFile(folder.Path(filepath.FromSlash(name)), content); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	return nil
}

// texts renders all files of a report but the PNG ones, by their names.
func texts(d *data, doc document, gobench string) (files map[string][]byte, err error) {
	files = map[string][]byte{"REPORT.md": []byte(markdownText(doc)), benchFile: []byte(benchText(d, gobench))}
	if files["report.html"], err = pageText(doc); err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(d.verdicts, "", "  ")
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

// removeCharts takes away the charts of an earlier report, which may have had more.
func removeCharts(folder trial.Folder) error {
	for _, ext := range []string{"*.svg", "*.png"} {
		old, err := filepath.Glob(folder.Path("charts", ext))
		if err != nil {
			return err
		}
		for _, path := range old {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeFile leaves either the old file or the whole new one.
func writeFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, content, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
