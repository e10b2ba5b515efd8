# bash: completes the words of ntpctl and the options of both commands.
_ntpd()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local words=
	COMPREPLY=()
	case ${1##*/},$prev in
	ntpd,-f | ntpd,-p)
		COMPREPLY=($(compgen -f -- "$cur"))
		return
		;;
	ntpctl,-i | ntpctl,-w) return ;;
	ntpd,*) words="-d -f -h -n -p -q -s -S -v -V -x" ;;
	ntpctl,-s) words="all peers Sensors status ready live metrics" ;;
	ntpctl,*) words="all peers Sensors status ready live metrics -h -i -j -s -V -w" ;;
	esac
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _ntpd ntpd ntpctl
