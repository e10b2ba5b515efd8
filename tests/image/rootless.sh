#!/bin/sh
# rootless.sh ARCHIVE COMMAND: load the image into the podman of a user who is
# nobody else's and has no right at all, and run the command as that user.
#
# The user, with a home in memory and subordinate ids, exists in this mount
# namespace only ("unshare --mount"), so nothing of it is left behind.
set -eu
here=$(dirname "$(readlink -f "$0")")
mount --make-rprivate /
mount -t tmpfs tmpfs /home
mkdir /home/etc
for file in passwd group subuid subgid; do
	touch "/etc/$file"
	cp "/etc/$file" /home/etc
done
echo 'tester:x:1500:1500::/home/tester:/bin/sh' >>/home/etc/passwd
echo 'tester:x:1500:' >>/home/etc/group
for file in subuid subgid; do
	echo 'tester:200000:65536' >>/home/etc/$file
done
for file in passwd group subuid subgid; do
	mount --bind "/home/etc/$file" "/etc/$file"
done
mkdir /home/tester /home/tester/run
cp "$1" /home/tester/image.tar
cp "$here/containers.conf" /home/tester
chown -R 1500:1500 /home/tester
cd /home/tester
exec setpriv --reuid 1500 --regid 1500 --clear-groups --inh-caps=-all \
	--bounding-set -sys_time env -i HOME=/home/tester \
	XDG_RUNTIME_DIR=/home/tester/run CONTAINERS_CONF=containers.conf \
	PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -euc "
		podman --log-level error load -q -i image.tar >/dev/null
		$2"
