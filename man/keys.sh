#!/bin/sh
# keys.sh CC POLICY-KEYS.DEF PAGE.IN: the page with its lists of keys, made from the table that also makes the parser.
set -eu
cc=$1 def=$2 page=$3
{
	# shellcheck disable=SC2086 # CC may carry options
	printf '%s\n' '#define HOST(key, field, type, fallback, ...) @@HOST|key|fallback|__VA_ARGS__@@' \
		'#define MATCH(key, field, type, ...) @@MATCH|key|NULL|__VA_ARGS__@@' \
		'#define RULE(key, field, type, fallback, ...) @@RULE|key|fallback|__VA_ARGS__@@' \
		'#define CHECK(key, field, type, fallback, ...) @@CHECK|key|fallback|__VA_ARGS__@@' \
		'#define TERM(key, field, type, fallback, ...) @@TERM|key|fallback|__VA_ARGS__@@' "#include \"$def\"" |
		$cc -E -P -x c - | tr '\n' ' '
	printf '\n@@PAGE@@\n'
	cat "$page"
} | awk '
function words(s) {          # of adjacent string literals, one text
	gsub(/"[ \t]*"/, "", s)
	gsub(/^[ \t]*"|"[ \t]*$/, "", s)
	gsub(/\\"/, "\"", s)
	gsub(/\\\\/, "\\e", s)
	return s
}
function item(f,   text, fallback) {
	text = words(f[4])
	gsub(/[a-zA-Z]\. /, "&\n", text)   # new sentence, new line
	gsub(/ \n/, "\n", text)
	fallback = words(f[3])
	return ".It Cm " f[2] "=\n" text (fallback ~ /^ *NULL *$/ ? "" : "\nDefault:\n.Li " fallback " .") "\n"
}
!page && /^@@PAGE@@$/ { page = 1; next }
!page {
	n = split($0, part, "@@")
	for (i = 1; i <= n; i++)
		if (split(part[i], f, "|") >= 4) {
			for (k = 5; k in f; k++) { f[4] = f[4] "|" f[k]; delete f[k] }
			list[f[1]] = list[f[1]] item(f)
			for (k in f) delete f[k]
		}
	next
}
/^@[A-Z]+@$/ {
	name = substr($0, 2, length($0) - 2)
	if (!(name in list)) { print "keys.sh: no list " name | "cat 1>&2"; failed = 1 }
	printf "%s", list[name]
	next
}
{ print }
END { exit failed }'
