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

# After an oops with its lock held, all of a kernel's network configuration hangs, and whoever touches
# it can't be killed, or is killed by it. Tests that would are skipped then: RILL_NO_NETNS tells them
# why. $1: a folder to write to.
look_at_netns() {
	local answer=$1/.netns

	rm -f "$answer"
	(unshare --net true; [ $? -gt 128 ] || touch "$answer") </dev/null >/dev/null 2>&1 9>&- &
	for _ in {1..300}; do
		[ -e "$answer" ] && return
		sleep 0.1
	done
	export RILL_NO_NETNS="the kernel's network configuration hangs: 'unshare --net true' did not return within 30 s"
	say "$RILL_NO_NETNS"
}
