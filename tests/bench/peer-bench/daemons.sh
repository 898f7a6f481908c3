# Starts jitd without systemd and D-Bus, from an unpacked package in /jit/root.  What is mounted here is seen in the bench's
# own mount namespace only, and ends with it.
start_jit() {
	mkdir -p /etc/jit /var/lib/jit /usr/libexec/pam-jit /run/jit
	mount -t tmpfs -o mode=0755 tmpfs /etc/jit
	mount -t tmpfs -o mode=0755 tmpfs /var/lib/jit
	mount --bind /jit/root/usr/libexec/pam-jit /usr/libexec/pam-jit
	for u in jit-courier jit-verify; do
		id $u >/dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin $u
	done
	mkdir -p /etc/jit/rules.d /etc/jit/people.d
	: >/etc/jit/approvers
	printf '[Host]\nDefault=deny\nSshdExecutable=/perf/build/pam_bench /usr/bin/sudo\n' >/etc/jit/jitd.conf
	printf '[Rule bench]\nService=jit w-jit\nDecision=allow\n' >/etc/jit/rules.d/bench.conf
	chmod -R go-w /etc/jit
	/jit/root/usr/sbin/jitd 2>/tmp/jitd.log &
	PIDS_jit=$!
	wait_for 5 test -S /run/jit/gate.sock || cat /tmp/jitd.log >&2
}
