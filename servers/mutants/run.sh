#!/usr/bin/env bash
# Plants one defect after another into a copy of the servers and runs the tests
# that must find it. Each defect is a patch (*.patch in this folder), which says
# above its first hunk what it breaks and which tests are named for it:
#
#   check: J05
#   breaks: a header with crit is accepted
#   tests: ./servers/token ^TestJ05_
#
# An origin line says of some that they were written from the specification alone.
#
# Usage: servers/mutants/run.sh [part of a patch's name]...
# Out goes one line a patch: caught, SURVIVED, or why it could not be tried.
# Exit status: 0 if all were caught; 1 if one survived, no longer applies, does
# not compile, names no test, or if its tests fail without it as well.
set -euo pipefail
source "$(dirname "$0")/../../tools/environment"
unset "${!GIT_@}" # a hook's, of the repository that it runs in

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r "$root/go.mod" "$root/go.sum" "$root/servers" "$copy/"
cd "$copy"
# In a repository that happens to hold the temporary folder, git apply would leave our files alone and say nothing.
export GIT_CEILING_DIRECTORIES=${copy%/*}

field() { sed -n "s/^$1: //p;/^---/q" "$2"; }

# tests runs what a patch names; more than one package may be named, a line each.
# The first failure is enough to tell, so it stops there. What passes without a
# patch is remembered by go test, for other patches that name the same.
tests() {
	local package pattern
	while read -r package pattern; do
		go test -failfast -timeout 5m -run "$pattern" "$package" || return
	done < <(field tests "$1")
}

# try says in a word what came of a patch; the rest of it is in the file log.
try() {
	local patch=$1 verdict
	if ! tests "$patch" >log 2>&1; then
		echo "fails without it"
		return
	fi
	if grep -q 'no tests to run' log; then
		echo "names no test"
		return
	fi
	if ! git apply -C1 "$patch" 2>log; then
		echo "does not apply"
		return
	fi
	if tests "$patch" >log 2>&1; then
		verdict=SURVIVED
	elif grep -q -e '\[build failed\]' -e '\[setup failed\]' log; then
		verdict="does not compile"
	else
		verdict=caught
	fi
	git apply -R -C1 "$patch"
	echo "$verdict"
}

chosen() {
	local part
	[[ $# -gt 1 ]] || return 0
	for part in "${@:2}"; do [[ $1 == *"$part"* ]] && return 0; done
	return 1
}

tried=0 caught=0
for patch in "$here"/*.patch; do
	name=$(basename "$patch" .patch)
	chosen "$name" "$@" || continue
	tried=$((tried + 1))
	verdict=$(try "$patch")
	printf '%-16s %-30s %-7s %s\n' "$verdict" "$name" "$(field check "$patch")" "$(field breaks "$patch")"
	if [[ $verdict == caught ]]; then
		caught=$((caught + 1))
	else
		tail -n 15 log | sed 's/^/    /'
	fi
done
echo "$caught of $tried caught, in $((SECONDS / 60)) min $((SECONDS % 60)) s"
[[ $tried -gt 0 && $caught -eq $tried ]]
