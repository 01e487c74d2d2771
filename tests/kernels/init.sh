#!/bin/busybox sh
# Process 1 of the VM. The machine's root is a read-only share; a tmpfs over it takes what the guest writes.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev

fail() {
	echo "init: $*"
	echo b > /proc/sysrq-trigger
	$b sleep 60
}

for module in /modules/*.ko; do
	$b insmod "$module" || fail "cannot insert $module"
done
options=trans=virtio,version=9p2000.L,msize=512000
$b mount -t 9p -o "$options,ro,cache=loose" machine /lower || fail "cannot mount the machine's root"
$b mount -t tmpfs over /over
$b mkdir /over/upper /over/work
$b mount -t overlay -o lowerdir=/lower,upperdir=/over/upper,workdir=/over/work root /root || fail "no overlay"

# The machine's own mounts are not in the share: these are the guest's.
$b mount -t proc proc /root/proc
$b mount -t sysfs sys /root/sys
$b mount -t devtmpfs dev /root/dev
$b mkdir -p /root/dev/shm /root/dev/pts /root/run
for folder in run dev/shm; do
	$b mount -t tmpfs -o mode=1777 tmpfs "/root/$folder"
done
$b mount -t devpts pts /root/dev/pts
$b mount -t bpf bpf /root/sys/fs/bpf || fail "no bpf filesystem"
$b mount -t cgroup2 cgroup2 /root/sys/fs/cgroup || fail "no cgroup2"
$b mkdir /root/run/vm
$b mount -t 9p -o "$options" results /root/run/vm || fail "cannot mount the folder of results"

# No fork: the kernel starts modprobe with the root folder of process 1.
exec $b chroot /root /bin/sh /run/vm/command.sh
