#!/usr/bin/env bash
# Usage: tools/setup.sh [lint|compare|compose|run|load|test]
#
# Gets what authbench needs and this machine lacks: Debian packages by way of tools/apt-install.sh, the command-line
# tools pinned in tools/go.mod, built into bin/, and Docker's Compose plugin, pinned in tools/compose/go.mod, for
# this user alone. When nothing is missing it ends in an instant.
#   lint     what make lint needs alone: golangci-lint, pinned in tools/lint/go.mod. Building it takes minutes
#   compare  what comparing two runs needs: benchstat
#   compose  and what a run in containers needs: k6 and, where a Docker engine answers, its Compose plugin
#   run      and what a run of processes needs: nginx, Redis, PostgreSQL; no plugin
#   load     and the load generators that ours is checked against: wrk, vegeta
#   test     and what the tests need: a C compiler for the race detector, Chromium, gotestsum, the plugin
# Says what it will install before it does. A terminal is asked, a script is not.
set -euo pipefail
source "$(dirname "$0")/environment"
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/local/go/bin:/usr/sbin:/sbin
readonly compose_least=2.20
# Where docker looks first, and an ordinary user may write.
readonly plugin=${DOCKER_CONFIG:-${HOME:-/root}/.docker}/cli-plugins/docker-compose

fail() { echo "setup: $*" >&2; exit 1; }
has() { command -v "$1" >/dev/null; }
has_postgres() { has initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }
has_compiler() { has gcc && gcc -E -x c - <<<'#include <stdlib.h>' >/dev/null 2>&1; }
has_browser() { browser >/dev/null; }

# browser: the path of a Chromium or Chrome, if there is one.
browser() {
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable headless-shell chromium-headless-shell; do
    if command -v "$name"; then return 0; fi
  done
  return 1
}

# missing_packages LEVEL: the Debian packages to install, one a line.
missing_packages() {
  if [[ $1 == lint || $1 == compare || $1 == compose ]]; then return; fi
  has nginx || echo nginx
  has redis-server || echo redis-server
  has_postgres || echo postgresql
  if [[ $1 == run ]]; then return; fi
  has wrk || echo wrk
  if [[ $1 == load ]]; then return; fi
  has_compiler || printf '%s\n' gcc libc6-dev
  # Half the size of the package chromium, and it does not bring GTK, D-Bus and systemd along.
  has_browser || echo chromium-headless-shell
}

# lacks_compose LEVEL: whether the level wants a Compose plugin, an engine answers, and there is none that is new enough.
lacks_compose() {
  local have
  [[ $1 == compose || $1 == test ]] && docker version >/dev/null 2>&1 || return 1
  have=$(docker compose version --short 2>/dev/null) || return 0
  ! printf '%s\n' "$compose_least" "${have#v}" | sort -V -C
}

need_go() {
  local want have
  want=$(awk '$1 == "go" {print $2}' go.mod)
  has go || fail "Go $want or newer is needed, and there is no go in PATH; see https://go.dev/doc/install"
  # From 1.21 on, an older go fails here or fetches the right one, as it is configured; before, it just answers.
  have=$(go env GOVERSION 2>/dev/null) || have=$(GOTOOLCHAIN=local go version | awk '{print $3}')
  printf '%s\n' "$want" "${have##*go}" | sort -V -C ||
    fail "Go $want or newer is needed, this one is ${have##*go}; see https://go.dev/doc/install"
}

# confirm asks whoever sits at a terminal; a script is not asked.
confirm() {
  local answer
  if [[ ! -t 0 || -n ${CI:-} ]]; then return; fi
  read -r -p 'Install? [y/N] ' answer
  [[ $answer == [yY]* ]] || fail "nothing was installed"
}

# announce_compose says what build_compose will do, and asks. Somebody's own plugin is not ours to replace: what needs
# a newer one says so.
announce_compose() {
  if [[ -e $plugin || -L $plugin ]]; then
    echo "setup: $plugin is older than $compose_least or does not work; it is left as it is: update or remove it"
    return
  fi
  echo "setup: docker has no Compose plugin of $compose_least or newer"
  echo "setup: will build the one pinned in tools/compose/go.mod into $plugin (for this user alone; remove the file to undo it)"
  confirm
  compose_wanted=yes
}

# build_compose: the plugin is built in bin/ and moved, so that half of one is never where docker looks.
build_compose() {
  local version
  version=$(go -C tools/compose list -m -f '{{.Version}}' github.com/docker/compose/v5)
  echo "setup: building the Compose plugin $version"
  CGO_ENABLED=0 go build -C tools/compose -trimpath -buildvcs=false -o ../../bin/docker-compose \
    -ldflags "-s -w -X github.com/docker/compose/v5/internal.Version=$version" github.com/docker/compose/v5/cmd
  mkdir -p "${plugin%/*}"
  mv bin/docker-compose "$plugin"
}

# install_packages PACKAGE...: says what and how, asks if there is someone to ask, and installs as root.
install_packages() {
  local as_root=()
  has apt-get || fail "missing: $*. These are Debian's names; install them with this system's package manager."
  echo "setup: missing here: $*"
  echo "setup: will run: apt-get install --no-install-recommends $*"
  echo "setup: (by tools/apt-install.sh, which neither starts nor enables any service)"
  if (($(id -u) != 0)); then
    as_root=(sudo)
    if [[ ! -t 0 ]]; then as_root=(sudo -n); fi
    if ! has sudo || { [[ ! -t 0 ]] && ! sudo -n true 2>/dev/null; }; then
      fail "this needs root. As root, run: bash $PWD/tools/apt-install.sh $*"
    fi
  fi
  confirm
  start_building
  ${as_root[@]+"${as_root[@]}"} bash tools/apt-install.sh "$@"
  echo "setup: installed $*"
}

# build_tool NAME PACKAGE [MODULE]: bin/NAME at the version pinned in MODULE/go.mod, that of tools if none is named. The
# note beside it says what it was built from, so that another version or another Go builds it again.
build_tool() {
  local from module=${3:-tools}
  from="$(go env GOVERSION) $(cat "$module/go.mod" "$module/go.sum" | cksum)"
  if [[ -x bin/$1 && -f bin/.$1.from && $(<"bin/.$1.from") == "$from" ]]; then return; fi
  echo "setup: building bin/$1 from $2"
  CGO_ENABLED=0 go build -C "$module" -trimpath -buildvcs=false -o "$PWD/bin/$1" "$2"
  echo "$from" >"bin/.$1.from"
}

build_tools() {
  if [[ $level == lint ]]; then
    build_tool golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint tools/lint
    return
  fi
  build_tool benchstat golang.org/x/perf/cmd/benchstat
  if [[ $level == compare ]]; then return; fi
  if [[ $level == load || $level == test ]]; then build_tool vegeta github.com/tsenart/vegeta/v12; fi
  build_tool k6 go.k6.io/k6/v2
  if [[ $level == test ]]; then build_tool gotestsum gotest.tools/gotestsum; fi
  if [[ -n $compose_wanted ]]; then build_compose; fi
}

# start_building: the tools need the processor and the packages need the network, so they go side by side.
# A process group of its own (set -m), so that go's children end with it when the installation fails.
start_building() {
  echo 'setup: building the pinned tools meanwhile'
  set -m
  build_tools >bin/.tools.log 2>&1 &
  builder=$!
  set +m
  trap 'kill -- "-$builder" 2>/dev/null || true' EXIT
}

finish_building() {
  if [[ -z $builder ]]; then
    build_tools
    return
  fi
  wait "$builder" || { cat bin/.tools.log >&2; fail 'a tool could not be built; the reason is above'; }
  trap - EXIT
  echo 'setup: built the pinned tools'
}

level=${1:-run}
builder=''
compose_wanted=''
# With these bash first lets a running installation end: half of one is worse than a moment's wait.
trap 'exit 130' INT
trap 'exit 143' TERM HUP
case $level in
  lint | compare | compose | run | load | test) ;;
  *) fail "unknown level '$level'; choose lint, compare, compose, run, load or test" ;;
esac
need_go
mkdir -p bin
if lacks_compose "$level"; then announce_compose; fi
if [[ $(uname -s) == Linux ]]; then
  mapfile -t missing < <(missing_packages "$level")
  if ((${#missing[@]})); then
    install_packages "${missing[@]}"
    mapfile -t missing < <(missing_packages "$level")
    if ((${#missing[@]})); then fail "installed, but their programs are not in PATH: ${missing[*]}"; fi
  fi
else
  echo 'setup: this is not Linux: authbench starts its servers on Linux only, so none is installed here'
fi
finish_building
# Browser drivers look for a program called chromium; the headless shell has another name.
if [[ $level == test && $(browser) == */chromium-headless-shell ]]; then
  ln -sf "$(browser)" bin/chromium
fi
