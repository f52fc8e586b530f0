#!/bin/sh
# Runs the operator of an unpacked image as a Pod of the chart would: its root read-only, its user without rights, a volume at /tmp.
# The first argument is the root, the rest is the operator's. A mount namespace of its own ends with it.
set -eu
PATH=${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin
export PATH
if [ "${INSIDE:-}" != yes ]; then
    INSIDE=yes exec unshare --mount --propagation private "$0" "$@"
fi
unset INSIDE
root=$1
shift
mount --bind "$root" "$root"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t tmpfs -o mode=1777 none "$root/tmp"
if [ -n "${KUBECONFIG:-}" ]; then
    install -o 12345 -g 12345 -m 0400 "$KUBECONFIG" "$root/tmp/kubeconfig"
    export KUBECONFIG=/tmp/kubeconfig
fi
mkdir "$root/tmp/store"
chown 12345:12345 "$root/tmp/store"
mount -o remount,bind,ro "$root"
if touch "$root/written" 2>/dev/null; then
    echo 'the root is not read-only' >&2
    exit 1
fi
exec chroot --userspec=12345:12345 "$root" /usr/bin/jaas-operator "$@"
