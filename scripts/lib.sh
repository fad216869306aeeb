# SPDX-License-Identifier: BSD-3-Clause
# What the scripts share. Sourced, after `set -u`; sets $top, the root of the tree.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
die() { say "$*"; exit 1; }

# Runs a command as root: by itself, or through sudo.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo -n "$@"
	else
		say "needs root, and there is no sudo: $*"
		return 1
	fi
}
