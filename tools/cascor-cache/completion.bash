# Completion of cascor-cache for bash. tests/cli/test_cli_manual.py compares it with --help.
_cascor_cache() {
  local commands="get set ttl keys invalidate clear stats monitor runs export import sessions doctor bench"
  local common="--config --url --json --verbose --help"
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command= arguments=0 i options
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --config | --url | --ttl | --limit | --tag | --channels | --run | --rounds) ((i++)) ;;
      -*) ;;
      *) if [[ -z $command ]]; then command=${COMP_WORDS[i]}; else ((arguments++)); fi ;;
    esac
  done
  case $command in
    set) options="--ttl --text" ;;
    keys) options="--limit" ;;
    invalidate) options="--tag" ;;
    clear) options="--yes" ;;
    stats) options="--watch" ;;
    monitor) options="--channels" ;;
    import) options="--run" ;;
    doctor) options="--all" ;;
    bench) options="--rounds --memory" ;;
    *) options= ;;
  esac
  if [[ $before == --config ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  elif [[ $before =~ ^--(url|ttl|limit|tag|channels|run|rounds)$ ]]; then
    return
  elif [[ $current == -* ]]; then
    [[ -n $command ]] || options=--version
    mapfile -t COMPREPLY < <(compgen -W "$common $options" -- "$current")
  elif [[ -z $command ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
  elif [[ $command == import && $arguments == 0 || $command == export && $arguments == 1 ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  fi
}
complete -o filenames -F _cascor_cache cascor-cache
