#!/bin/sh
# Modules as guests: exactly their entry points are exported, libc (and libpam) is all they need, they hold no data that
# can be written, run nothing when they are loaded or unloaded, and have full RELRO.  Sanitizer builds bring their own.
status=0

bad() { echo "$so: $*" >&2; status=1; }

# look MODULE EXPORTS LIBRARIES WRITABLE
look() {
	so=$1
	[ -f "$so" ] || { echo "$so is not built" >&2; exit 99; }
	if nm "$so" | grep -q '__asan_init\|__ubsan_handle'; then
		echo "a sanitizer build: not judged"
		exit 77
	fi
	have=$(nm -D --defined-only "$so" | awk '{ print $3 }' | LC_ALL=C sort | tr '\n' ' ')
	[ "$have" = "$2 " ] || bad "exports $have"

	have=$(readelf -d "$so" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | LC_ALL=C sort | tr '\n' ' ')
	[ "$have" = "$3 " ] || bad "needs $have"

	# The start files' own words are all that .data and .bss hold, and what is named here.
	have=$(nm "$so" | awk '$2 ~ /^[bBdDsS]$/ { print $3 }' | grep -vx \
		'_DYNAMIC\|_GLOBAL_OFFSET_TABLE_\|__TMC_END__\|__do_global_dtors_aux_fini_array_entry\|__dso_handle\|__frame_dummy_init_array_entry\|completed\.0\|_edata\|_end\|__bss_start')
	relro=$(readelf -SW "$so" | sed -n 's/^ *\[ *\([0-9]*\)\] \.data\.rel\.ro.*/\1/p')
	for name in $have; do
		case " $4 " in *" $name "*) continue ;; esac
		# Tables of pointers are written by the loader, then read-only.
		readelf -sW "$so" | awk -v n="$name" -v s="$relro" '$8 == n && $7 != s { exit 1 }' || bad "writable data: $name"
	done

	for section in .init_array .fini_array; do
		size=$(readelf -SW "$so" | sed 's/^ *\[ *[0-9]*\] *//' | awk -v s=$section '$1 == s { print $5 }')
		case $size in
		000008|'') ;; # frame_dummy and __do_global_dtors_aux
		*) bad "$section holds more than the start files' own" ;;
		esac
	done
	readelf -SW "$so" | grep -q ' \.tdata\| \.tbss' && bad "thread-local storage"
	readelf -lW "$so" | grep -q 'GNU_RELRO' || bad "no RELRO"
	readelf -dW "$so" | grep -q 'NOW' || bad "lazy binding"
	readelf -dW "$so" | grep -q 'NODELETE\|RPATH\|RUNPATH' && bad "NODELETE or a run path"
	for never in fork vfork execve execv system popen signal sigaction_ alarm setitimer atexit pthread_create abort select \
		openlog closelog setlocale setenv putenv umask chdir; do
		nm -D --undefined-only "$so" | awk '{ print $2 }' | sed 's/@.*//' | grep -qx "$never" && bad "calls $never"
	done
}

look pam_jit/.libs/pam_jit.so 'pam_sm_acct_mgmt pam_sm_authenticate pam_sm_close_session pam_sm_open_session pam_sm_setcred' \
	'libc.so.6 libpam.so.0' ''
# sudo's plugins get no handle: what open is told stays in `call` until close.
[ ! -f sudo_jit/.libs/sudo_jit.so ] || look sudo_jit/.libs/sudo_jit.so 'sudo_jit' 'libc.so.6' 'call sudo_jit'
exit $status
