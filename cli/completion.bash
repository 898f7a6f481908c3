# bash completion for jitctl(1).  The program itself knows its verbs and options: `jitctl complete WORD...`
_jitctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} word
	COMPREPLY=()
	case $prev in
	--conf|--courier)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	--confdir|--dir|--root)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return ;;
	--user|--target|-u)
		mapfile -t COMPREPLY < <(compgen -u -- "$cur")
		return ;;
	esac
	mapfile -t COMPREPLY < <(jitctl complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
	if [[ ${#COMPREPLY[@]} -eq 0 && $cur != -* ]]; then
		# The command that is to be approved.
		for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
			if [[ $word == request || $word == explain ]]; then
				mapfile -t COMPREPLY < <(compgen -c -- "$cur")
				return
			fi
		done
	fi
} &&
complete -F _jitctl jitctl
