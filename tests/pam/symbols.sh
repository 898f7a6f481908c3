#!/bin/sh
# pam_jit.so as a guest: exactly its entry points are exported, libc and libpam are all it needs, it holds no data that
# can be written, runs nothing when it is loaded or unloaded, and has full RELRO.  Sanitizer builds bring their own.
so=pam_jit/.libs/pam_jit.so
status=0

bad() { echo "$so: $*" >&2; status=1; }

[ -f "$so" ] || { echo "$so is not built" >&2; exit 99; }
if nm "$so" | grep -q '__asan_init\|__ubsan_handle'; then
	echo "a sanitizer build: not judged"
	exit 77
fi

want='pam_sm_acct_mgmt pam_sm_authenticate pam_sm_close_session pam_sm_open_session pam_sm_setcred'
have=$(nm -D --defined-only "$so" | awk '{ print $3 }' | LC_ALL=C sort | tr '\n' ' ')
[ "$have" = "$want " ] || bad "exports $have"

have=$(readelf -d "$so" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | LC_ALL=C sort | tr '\n' ' ')
case $have in
'libc.so.6 libpam.so.0 '|'libpam.so.0 libc.so.6 ') ;;
*) bad "needs $have" ;;
esac

# The start files' own words are all that .data and .bss hold.
have=$(nm "$so" | awk '$2 ~ /^[bBdDsS]$/ { print $3 }' | grep -vx \
	'_DYNAMIC\|_GLOBAL_OFFSET_TABLE_\|__TMC_END__\|__do_global_dtors_aux_fini_array_entry\|__dso_handle\|__frame_dummy_init_array_entry\|completed\.0\|_edata\|_end\|__bss_start')
relro=$(readelf -SW "$so" | sed -n 's/^ *\[ *\([0-9]*\)\] \.data\.rel\.ro.*/\1/p')
for name in $have; do
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
exit $status
