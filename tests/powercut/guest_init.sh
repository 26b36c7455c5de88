#!/bin/busybox sh
# The first process of the emulated machine (tests/powercut/machine.py): the modules, the host's files over 9p below a
# root of our own, and the command. Whatever happens, the machine goes off at the end.
bb=/bin/busybox
off() { $bb poweroff -f; }
trap off EXIT
set -e

$bb mkdir -p /proc /sys /lower /root
$bb mount -t proc proc /proc
$bb mount -t sysfs sys /sys
$bb mount -t devtmpfs dev /dev
for module in /modules/*.ko; do $bb insmod "$module"; done
$bb mount -t 9p -o trans=virtio,version=9p2000.L,cache=loose,ro,msize=524288 host /lower

# Each top-level name of the host, but its devices and kernel files: ours stand in for those.
$bb mount -t tmpfs root /root
for path in /lower/*; do
    name=${path#/lower/}
    case $name in dev | proc | sys | run | mnt) continue ;; esac
    if [ -L "$path" ]; then
        $bb cp -P "$path" /root/
    elif [ -d "$path" ]; then
        $bb mkdir "/root/$name"
        $bb mount --bind "$path" "/root/$name"
    fi
done
for name in dev proc sys; do
    $bb mkdir "/root/$name"
    $bb mount --bind "/$name" "/root/$name"
done
$bb mkdir /root/run /root/mnt
$bb ip link set lo up

for word in $($bb cat /proc/cmdline); do
    case $word in
    tokuten.folder=*) folder=${word#*=} ;;
    tokuten.at=*) at=${word#*=} ;;
    esac
done
$bb chroot /root /bin/sh -c "cd '$at' && . '$folder/command'"
