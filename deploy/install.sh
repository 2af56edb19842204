#!/bin/sh
# Installs Tidegate on a Raspberry Pi or any Debian machine with a network:
#
#     sudo deploy/install.sh [PACKAGE.deb] [options of tidegate setup]
#
# Without a package, one is built from this checkout. It may be run again: after an interruption, or
# to upgrade.
set -eu

[ "$(id -u)" = 0 ] || { echo "run it as root: sudo $0" >&2; exit 1; }
here=$(cd "$(dirname "$0")/.." && pwd)

package=
case "${1:-}" in *.deb) package=$1; shift ;; esac
if [ -z "$package" ]; then
    apt-get update -qq
    apt-get install -qq -y --no-install-recommends python3 python3-venv make
    make -C "$here" deb
    package=$(ls -t "$here"/dist/tidegate_*_all.deb | head -n 1)
fi
# A path with a slash: apt takes anything else for a name.
case "$package" in */*) ;; *) package=./$package ;; esac
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --allow-downgrades "$package"
if [ "$#" -gt 0 ]; then
    tidegate setup --yes "$@"
else
    echo "Next: sudo tidegate setup"
fi
