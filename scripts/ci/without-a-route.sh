#!/usr/bin/env bash
# Run a command where there is no network but loopback: in a network namespace of its own, without a route out.
#
#   scripts/ci/without-a-route.sh COMMAND [ARGUMENT...]
#
# Needs Linux with util-linux, Python 3, and root or unprivileged user namespaces; whoever calls it stays who they are.
# Exit code: the command's; 125, with the reason, where no such namespace can be had.
set -euo pipefail
(($#)) || { echo "usage: $0 COMMAND [ARGUMENT...]" >&2; exit 125; }

namespaces=(--net --mount)
command=("$@")
if ((EUID != 0)); then
  # The capabilities set the namespaces up and are gone before the command runs.
  namespaces+=(--user --map-current-user --keep-caps)
  command=(setpriv --ambient-caps=-all --inh-caps=-all -- "$@")
fi

if ! refusal="$(unshare "${namespaces[@]}" true 2>&1)"; then
  echo "A network namespace cannot be made here (${refusal:-unshare failed}). Run as root outside of a container," \
    "or let the kernel or the container make user namespaces (sysctl kernel.unprivileged_userns_clone," \
    "kernel.apparmor_restrict_unprivileged_userns; docker run --cap-add SYS_ADMIN)." >&2
  exit 125
fi

export LOOPBACK_UP='
import fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
    SIOCSIFFLAGS, IFF_UP = 0x8914, 1
    fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
'
# A resolver that is reached by a file, not by the network, would ask outside for whoever is in here.
exec unshare "${namespaces[@]}" bash -euc '
python3 -c "$LOOPBACK_UP"
unset LOOPBACK_UP
for resolver in /run/systemd/resolve /run/nscd /run/avahi-daemon; do
  if [[ -d "$resolver" ]]; then mount -t tmpfs tmpfs "$resolver"; fi
done
exec "$@"
' without-a-route "${command[@]}"
