#!/bin/sh
# Second program of the guest: mounts what a running system has, runs the command of the host, switches off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C TERM=dumb
mkdir -p /dev/pts /dev/shm /root /run
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t securityfs securityfs /sys/kernel/security
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
ln -sfn /proc/self/fd /dev/fd
ip link set lo up
[ -c /dev/ttyS2 ] && stty -F /dev/ttyS1 raw -echo && stty -F /dev/ttyS2 raw -echo
root=$(cat /vm/root)
mkdir -p "$root"
mount --bind /vm/repository "$root"
cd "$root" || poweroff -f
echo "Linux $(uname -r), security modules: $(cat /sys/kernel/security/lsm)"
export VM_RESULTS=/dev/ttyS2
setsid sh /vm/command.sh > /dev/ttyS1 2>&1 < /dev/null
echo "{\"exit\":$?}" > /dev/ttyS2
stty -F /dev/ttyS2 drain > /dev/null 2>&1
sync
/vm/busybox poweroff -f
