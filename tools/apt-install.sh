#!/usr/bin/env bash
# Usage, as root: tools/apt-install.sh PACKAGE...
#
# Installs Debian packages and leaves no service behind. Debian starts nginx, Redis and PostgreSQL as soon as
# they are installed, and again at every boot; authbench starts its own, on free ports, and stops them.
# Two files are replaced while this runs, and put back however it ends:
#   /usr/sbin/policy-rc.d                      answers no to every start of a service
#   /etc/postgresql-common/createcluster.conf  so that PostgreSQL creates no database cluster of its own
set -euo pipefail

readonly policy=/usr/sbin/policy-rc.d cluster=/etc/postgresql-common/createcluster.conf
readonly mark='# Written by authbench for the time of one installation.'

# replace FILE: standard input takes its place until put_back. put_back comes first because a run that was
# killed (SIGKILL, power) could not do it, and its replacement must not be saved as the original.
replace() {
  put_back "$1"
  if [[ -e $1 || -L $1 ]]; then mv "$1" "$1.authbench-saved"; fi
  cat >"$1"
}

put_back() {
  if [[ -e $1.authbench-saved || -L $1.authbench-saved ]]; then
    mv -f "$1.authbench-saved" "$1"
  elif [[ -f $1 ]] && grep -qF "$mark" "$1"; then
    rm -f "$1"
  fi
}

# apt ARGS...: apt-get without questions, waiting for another one's lock, tried twice because mirrors fail.
apt() {
  local try
  for try in 1 2; do
    if DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
      -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" </dev/null >>"$log" 2>&1; then
      return 0
    fi
    if [[ $try == 1 ]]; then
      echo "setup: 'apt-get $1' failed; once more in 5 seconds" >&2
      sleep 5
    fi
  done
  return 1
}

install() {
  apt install --no-install-recommends "$@" && return
  tail -n 25 "$log" >&2
  echo "setup: apt-get could not install: $*. The end of its output is above." >&2
  exit 1
}

# enabled_services: what starts at boot, by systemd or by init scripts, one name a line.
enabled_services() {
  { compgen -G '/etc/systemd/system/*.wants/*.service' || true; compgen -G '/etc/rc[2-5].d/S*' || true; } |
    sed -E 's|.*/||; s|^S[0-9]{2}||; s|\.service$||' | sort -u
}

if (($(id -u) != 0)) || (($# == 0)); then
  echo 'usage, as root: tools/apt-install.sh PACKAGE...' >&2
  exit 2
fi
exec 9>/run/authbench-install.lock
flock -w 900 9 || { echo 'setup: another installation has been running for 15 minutes' >&2; exit 1; }

log=$(mktemp)
trap 'put_back "$policy"; put_back "$cluster"; rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

enabled=$(enabled_services)
replace "$policy" <<<"#!/bin/sh
$mark
exit 101"
chmod 755 "$policy"

apt update || echo 'setup: apt-get update failed; trying with the package lists that are here' >&2
if [[ " $* " == *' postgresql'* ]]; then
  # It owns createcluster.conf, so it has to be there before that file can be replaced.
  install postgresql-common
  replace "$cluster" <<<"$mark
create_main_cluster = false"
  chmod 644 "$cluster"
fi
install "$@"

# Not at the next boot either; what was enabled before stays so.
for service in $(comm -13 <(echo "$enabled") <(enabled_services)); do
  update-rc.d "$service" disable >>"$log" 2>&1 || true
done
left=$(comm -13 <(echo "$enabled") <(enabled_services))
if [[ -n $left ]]; then echo "setup: these services are enabled now and could not be disabled: ${left//$'\n'/ }" >&2; fi
