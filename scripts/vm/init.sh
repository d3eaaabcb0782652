#!/bin/busybox sh
# First program of the guest, from the initramfs: finds the two disks and goes on from the first.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /root
for module in /modules/*; do insmod "$module" || echo "insmod $module failed"; done
waited=0
while [ ! -b /dev/vdb ] && [ "$waited" -lt 100 ]; do sleep 0.1; waited=$((waited + 1)); done
mount -t ext4 /dev/vda /root && mkdir -p /root/vm && mount -t ext4 /dev/vdb /root/vm || {
  echo "no root file system"
  poweroff -f
}
for each in proc sys dev; do mount --move "/$each" "/root/$each"; done
exec switch_root /root /bin/sh /vm/start.sh
