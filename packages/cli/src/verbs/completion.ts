import { UsageError } from '../errors.ts'
import { defineVerb, type Verb } from '../Verb.ts'

/** Verbs whose arguments are documents. */
const OF_DOCUMENTS = ['ls', 'cat', 'export', 'import', 'append', 'replace', 'tail', 'sync', 'rm']
/** Verbs whose arguments are files, too. */
const OF_FILES = ['export', 'import', 'serve', 'sync', 'backup', 'restore', 'verify', 'repair']
/** Names that are offered at most. */
const MAX_NAMES = 200

const flagsOf = (verb: Verb) => Object.keys(verb.options).map(name => `--${name}`)

// A name that begins with a quote is one that `weft ls` has put in quotes: not offered.
const shells: Readonly<Record<string, (verbs: readonly Verb[]) => string>> = {
  // Bash puts what is chosen into the line as it is, and expands the words of `compgen -W`. A name is anybody's text: those with
  // characters that mean something to a shell are not offered.
  bash: verbs => `_weft() {
  local cur=\${COMP_WORDS[COMP_CWORD]} flags= name
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${verbs.map(({ name }) => name).join(' ')}" -- "$cur"))
    return
  fi
  case \${COMP_WORDS[1]} in
${verbs.map(verb => `    ${verb.name}) flags="${flagsOf(verb).join(' ')}" ;;`).join('\n')}
  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$cur"))
    return
  fi
  case \${COMP_WORDS[1]} in
    ${OF_DOCUMENTS.join('|')})
      while IFS= read -r name; do COMPREPLY+=("$name"); done < <(weft ls -- "$cur" 2>/dev/null | grep -v -e '^-' -e '[][ !"#$&()*;<>?\\\\^\`{|}~]' -e "'" | head -${MAX_NAMES}) ;;
  esac
}
complete -o bashdefault -o default -F _weft weft`,
  zsh: verbs => `#compdef weft
_weft() {
  local -a names
  if (( CURRENT == 2 )); then
    compadd -- ${verbs.map(({ name }) => name).join(' ')}
    return
  fi
  if [[ $PREFIX == -* ]]; then
    case $words[2] in
${verbs.map(verb => `      (${verb.name}) compadd -- ${flagsOf(verb).join(' ')} ;;`).join('\n')}
    esac
    return
  fi
  case $words[2] in
    (${OF_DOCUMENTS.join('|')})
      names=(\${(f)"$(weft ls -- "$PREFIX" 2>/dev/null | grep -v '^"' | head -${MAX_NAMES})"})
      compadd -a names ;;
  esac
  case $words[2] in
    (${OF_FILES.join('|')}) _files ;;
  esac
}
compdef _weft weft`,
  fish: verbs =>
    [
      'complete -c weft -f',
      ...verbs.map(
        ({ name, summary }) => `complete -c weft -n __fish_use_subcommand -a ${name} -d ${fishString(summary)}`,
      ),
      ...verbs.flatMap(({ name, options }) =>
        Object.entries(options).map(
          ([flag, { type, help }]) =>
            `complete -c weft -n '__fish_seen_subcommand_from ${name}' -l ${flag}${type === 'string' ? ' -r' : ''} -d ${fishString(help)}`,
        ),
      ),
      `complete -c weft -n '__fish_seen_subcommand_from ${OF_DOCUMENTS.join(' ')}' -a '(weft ls -- (commandline -ct) 2>/dev/null | string match -v -r "^\\"" | head -${MAX_NAMES})'`,
      `complete -c weft -n '__fish_seen_subcommand_from ${OF_FILES.join(' ')}' -F`,
    ].join('\n'),
}

export const completionVerb = defineVerb({
  name: 'completion',
  summary: 'print what makes a shell complete verbs, options and documents',
  usage: [`completion ${Object.keys(shells).join('|')}`],
  details: `Prints a script for your shell, to be read at its start. It asks the server that WEFT_URL and WEFT_TOKEN name for
the documents; names that would have to be quoted are left out where the shell doesn't do that.`,
  options: {},
  examples: [
    'source <(weft completion bash)   # in ~/.bashrc',
    'source <(weft completion zsh)    # in ~/.zshrc, after compinit',
    'weft completion fish | source    # in ~/.config/fish/config.fish',
  ],
  async run([shell = '', ...rest], _values, { print }) {
    const script = Object.hasOwn(shells, shell) ? shells[shell] : undefined
    if (script === undefined || rest.length > 0) {
      throw new UsageError(`expected one of ${Object.keys(shells).join(', ')} (weft completion --help)`)
    }
    // Here, for it lists this verb, too.
    const { verbLoaders } = await import('../verbLoaders.ts')
    print(script(await Promise.all(Object.values(verbLoaders).map(load => load()))))
    return 0
  },
})

function fishString(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`
}
