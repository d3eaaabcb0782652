/** Completion scripts, made from the same tree that parses the command line, so that they cannot differ from it. */
import type { Command as Program, Option } from "commander";
import { assertNever } from "../core/mod.ts";

/** Shells with a completion script. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** Operands that are files. */
const FILE_OPERANDS: readonly string[] = ["file", "old-file", "new-file", "other", "recording"];

/** One of them. */
export type Shell = typeof SHELLS[number];

/** What can be typed after the words of one command. */
interface Place {
  /** Words of the command, joined by a space; empty for the program. */
  readonly path: string;
  readonly words: readonly { readonly word: string; readonly description: string }[];
  readonly options: readonly Option[];
  /** `file` if operands are files, else the fixed choices. */
  readonly operands: "file" | readonly string[];
}

/** The script for a shell, to be sourced or installed. */
export function completionScript(program: Program, shell: Shell): string {
  const places = collect(program, "");
  switch (shell) {
    case "bash":
      return bashScript(places);
    case "zsh":
      return zshScript(places);
    case "fish":
      return fishScript(places);
    default:
      return assertNever(shell);
  }
}

function collect(command: Program, path: string): readonly Place[] {
  const operands: string[] = [];
  let files = false;
  for (const argument of command.registeredArguments) {
    operands.push(...(argument.argChoices ?? []));
    if (FILE_OPERANDS.includes(argument.name())) files = true;
  }
  const children = command.commands.map((child) => ({ child, path: `${path} ${child.name()}`.trim() }));
  const words = children.map(({ child }) => ({ word: child.name(), description: child.summary() }));
  if (path === "help") operands.push(...(command.parent?.commands.map((sibling) => sibling.name()) ?? []));
  const own: Place = { path, words, options: command.options, operands: files ? "file" : operands };
  return [own, ...children.flatMap((next) => collect(next.child, next.path))];
}

/** Options as typed, without the short form. */
function longOptions(place: Place): readonly string[] {
  return [...place.options.map((option) => option.long ?? ""), "--help"];
}

/** What completes the value of an option. */
function valueKind(option: Option): "none" | "file" | "directory" | "free" | readonly string[] {
  if (!option.required) return "none";
  if (option.argChoices !== undefined) return option.argChoices;
  if (option.flags.includes("<file>")) return "file";
  return option.flags.includes("<dir>") ? "directory" : "free";
}

/** Lines of a bash or zsh `case` that recognise a subcommand and lengthen `at`. */
function pathCases(places: readonly Place[]): string {
  const patterns = places.filter((place) => place.path !== "").map((place) => {
    const cut = place.path.lastIndexOf(" ");
    return `"${cut < 0 ? "" : place.path.slice(0, cut)}:${place.path.slice(cut + 1)}"`;
  });
  return `      ${patterns.join(" | ")}) at="\${at:+$at }$word" ;;`;
}

/** The line of the same `case` that skips the value of an option: it may be called like a command. */
function skipCases(places: readonly Place[]): string {
  const patterns = places.flatMap((place) =>
    place.options.filter((option) => option.required).map((option) => `"${place.path}:${option.long ?? ""}"`)
  );
  return `      ${patterns.join(" | ")}) skip=1 ;;`;
}

/** Lines of a `case` on `at:previous word`; `render` writes what completes a value. */
function valueCases(places: readonly Place[], render: (kind: ReturnType<typeof valueKind>) => string): string {
  const lines: string[] = [];
  for (const place of places) {
    for (const option of place.options) {
      const kind = valueKind(option);
      if (kind !== "none") lines.push(`    "${place.path}:${option.long ?? ""}") ${render(kind)}; return ;;`);
    }
  }
  return lines.join("\n");
}

/** Lines of a `case` on `at` that set the candidate words, and `files` where operands are files. */
function wordCases(places: readonly Place[]): string {
  return places.map((place) => {
    const operands = place.operands === "file" ? [] : place.operands;
    const words = [...place.words.map(({ word }) => word), ...operands, ...longOptions(place)];
    return `    "${place.path}") words="${words.join(" ")}"${place.operands === "file" ? "; files=1" : ""} ;;`;
  }).join("\n");
}

function bashScript(places: readonly Place[]): string {
  const values = valueCases(places, (kind) => {
    if (kind === "file") return `compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur"))`;
    if (kind === "directory") return `compopt -o filenames; COMPREPLY=($(compgen -d -- "$cur"))`;
    return typeof kind === "string" ? ":" : `COMPREPLY=($(compgen -W "${kind.join(" ")}" -- "$cur"))`;
  });
  return `# bash completion for agentguard
_agentguard() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} at= skip= words= files= word i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ -n $skip ]]; then
      skip=
      continue
    fi
    if [[ $word == -- ]]; then
      # The guarded command: its name, then its own arguments.
      if ((i + 1 == COMP_CWORD)); then
        COMPREPLY=($(compgen -c -- "$cur"))
      elif declare -F _command_offset > /dev/null; then
        _command_offset $((i + 1))
      else
        compopt -o filenames
        COMPREPLY=($(compgen -f -- "$cur"))
      fi
      return
    fi
    case "$at:$word" in
${pathCases(places)}
${skipCases(places)}
    esac
  done
  case "$at:$prev" in
${values}
  esac
  case "$at" in
${wordCases(places)}
  esac
  if [[ -n $files && $cur != -* ]]; then
    compopt -o filenames
    COMPREPLY=($(compgen -f -- "$cur"))
    return
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _agentguard agentguard
`;
}

function zshScript(places: readonly Place[]): string {
  const values = valueCases(places, (kind) => {
    if (kind === "file") return "_files";
    if (kind === "directory") return "_files -/";
    return typeof kind === "string" ? "_message value" : `compadd -- ${kind.join(" ")}`;
  }).replaceAll('"; return', "; return");
  return `#compdef agentguard
# zsh completion for agentguard
_agentguard() {
  local cur=$words[CURRENT] prev=$words[CURRENT-1] at= skip= candidates= files= word
  local -i i
  for ((i = 2; i < CURRENT; i++)); do
    word=$words[i]
    if [[ -n $skip ]]; then
      skip=
      continue
    fi
    if [[ $word == -- ]]; then
      # The guarded command: its name, then its own arguments.
      shift $i words
      ((CURRENT -= i))
      _normal
      return
    fi
    case "$at:$word" in
${pathCases(places)}
${skipCases(places)}
    esac
  done
  case "$at:$prev" in
${values}
  esac
  case "$at" in
${wordCases(places).replaceAll(' words="', ' candidates="')}
  esac
  if [[ -n $files && $cur != -* ]]; then
    _files
    return
  fi
  compadd -- \${=candidates}
}
if [[ $funcstack[1] == _agentguard ]]; then
  _agentguard "$@"
else
  compdef _agentguard agentguard
fi
`;
}

function fishScript(places: readonly Place[]): string {
  const lines: string[] = [];
  const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  for (const place of places) {
    const at = `complete -c agentguard -n ${quoted(`__agentguard_at ${quoted(place.path)}`)}`;
    for (const { word, description } of place.words) lines.push(`${at} -a ${word} -d ${quoted(description)}`);
    if (place.operands === "file") lines.push(`${at} -F`);
    else if (place.operands.length > 0) lines.push(`${at} -a ${quoted(place.operands.join(" "))}`);
    for (const option of place.options) {
      const kind = valueKind(option);
      const value = kind === "none"
        ? ""
        : kind === "file" || kind === "directory"
        ? " -r -F"
        : kind === "free"
        ? " -x"
        : ` -x -a ${quoted(kind.join(" "))}`;
      const short = option.short === undefined ? "" : ` -s ${option.short.slice(1)}`;
      lines.push(`${at} -l ${(option.long ?? "").slice(2)}${short}${value} -d ${quoted(option.description)}`);
    }
    lines.push(`${at} -l help -s h -d 'print this help'`);
  }
  const valued = new Set(
    places.flatMap((place) => place.options.filter((option) => option.required).map((option) => option.long ?? "")),
  );
  const known = places.map((place) => quoted(place.path)).join(" ");
  return `# fish completion for agentguard
function __agentguard_at
    set -l path ''
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        # The value of an option may be called like a command.
        if test $skip = 1
            set skip 0
            continue
        end
        test "$word" = -- && return 1
        contains -- "$word" ${[...valued].join(" ")} && set skip 1
        set -l next (string trim -- "$path $word")
        contains -- "$next" ${known} && set path $next
    end
    test "$path" = "$argv[1]"
end
function __agentguard_guarded
    contains -- -- (commandline -opc)
end
complete -c agentguard -f
function __agentguard_command
    __fish_complete_subcommand --fcs-skip=(contains -i -- -- (commandline -opc))
end
complete -c agentguard -n __agentguard_guarded -F -a '(__agentguard_command)'
${lines.join("\n")}
`;
}
