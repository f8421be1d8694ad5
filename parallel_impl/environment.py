"""Which environment variables agents, set-up and steps see: an allow-list, and what must be masked in logs.

The list is the product's promise (README, "Environment").
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping

from parallel_impl import text

ALLOWED = (
    "PATH", "HOME", "USER", "LANG", "LC_*", "TZ", "TERM", "TMPDIR",
    "http_proxy", "https_proxy", "no_proxy", "all_proxy", "ftp_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "FTP_PROXY",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "PIP_CERT",
    "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_CONFIG_FILE",
    "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS", "UV_OFFLINE",
    "npm_config_registry", "NPM_CONFIG_REGISTRY",
    "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "CARGO_HOME",
    "GOPATH", "GOMODCACHE", "GOCACHE", "GOPROXY", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOSUMDB", "GOTOOLCHAIN",
)  # fmt: skip
SECRET = ("*_KEY", "*_TOKEN", "*_SECRET", "*PASSWORD*")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# they lead git, wherever it runs, to another repository, tree, configuration or program
REDIRECTING = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE*", "GIT_CONFIG*",
    "GIT_NAMESPACE", "GIT_CEILING*", "GIT_COMMON_DIR", "GIT_SHALLOW_FILE", "GIT_ATTR*", "GIT_REPLACE*",
    "GIT_EXEC_PATH", "GIT_TEMPLATE_DIR",
)  # fmt: skip
# code that shells, loaders and interpreters run before the program that was asked for, or in its place
EXECUTED = (
    "BASH_ENV", "ENV", "BASH_FUNC_*", "BASHOPTS", "SHELLOPTS", "PROMPT_COMMAND", "ZDOTDIR", "LD_*", "DYLD_*",
    "PYTHONSTARTUP", "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONBREAKPOINT", "PYTHONINSPECT",
    "PERL5OPT", "PERL5LIB", "PERLLIB", "PERL5DB", "RUBYOPT", "RUBYLIB", "NODE_OPTIONS", "NODE_PATH",
    "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "LUA_INIT*", "PHPRC", "PHP_INI_SCAN_DIR",
    "GCONV_PATH", "GLIBC_TUNABLES", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "MAKEFILES",
)  # fmt: skip
# what git itself reads (git(1), "Environment Variables", and Documentation/technical); of the rest it knows nothing
READ_BY_GIT = (
    "GIT_ADVICE*", "GIT_ALLOW_*", "GIT_AUTHOR_*", "GIT_AUTO_*", "GIT_CLONE_*", "GIT_COMMITTER_*", "GIT_COMMIT_*",
    "GIT_CURL_*", "GIT_DEFAULT_*", "GIT_DIFF_*", "GIT_DISCOVERY_*", "GIT_EDITOR", "GIT_EXTERNAL_*", "GIT_FLUSH",
    "GIT_FORCE_*", "GIT_GLOB_*", "GIT_ICASE_*", "GIT_IMPLICIT_*", "GIT_INDEX_*", "GIT_INTERNAL_*", "GIT_LITERAL_*",
    "GIT_MERGE_*", "GIT_NOGLOB_*", "GIT_NOTES_*", "GIT_NO_*", "GIT_OPTIONAL_*", "GIT_PAGER*", "GIT_PREFIX",
    "GIT_PRINT_*", "GIT_PROTOCOL*", "GIT_PROXY_*", "GIT_PUSH_*", "GIT_PYTHON_*", "GIT_QUARANTINE_*",
    "GIT_REDIRECT_*", "GIT_REFLOG_*", "GIT_REF_*", "GIT_SEQUENCE_*", "GIT_SMART_*", "GIT_TERMINAL_*", "GIT_TEST_*",
    "GIT_TEXTDOMAINDIR", "GIT_TR2_*", "GIT_TRACE*", "GIT_TRANSPORT_*", "GIT_USER_AGENT",
)  # fmt: skip


# how git reaches a remote and proves who asks: kept for a push, and for nothing else
FOR_PUSH = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_ASKPASS", "GIT_SSL_*")


def for_push(inherited: Mapping[str, str]) -> dict[str, str]:
    """Of the dropped variables those that a push needs."""
    return {name: value for name, value in inherited.items() if _is_among(name, FOR_PUSH)}


def drop_git(variables: MutableMapping[str, str]) -> dict[str, str]:
    """Remove inherited `GIT_*`: a `GIT_DIR` of the caller's (a hook, `git rebase --exec`) names another repository.

    Done once, in the environment of this process: GitPython and every child take what they find there. What was
    removed is returned: it passes where `pass_env` names it.
    """
    names = [name for name in variables if name.startswith("GIT_") and name != "GIT_PYTHON_REFRESH"]
    return {name: variables.pop(name) for name in names}


def is_redirecting(name: str) -> bool:
    """Whether the variable leads git to another repository, tree, configuration or program: it passes nowhere."""
    return _is_among(name, REDIRECTING)


def is_executed(name: str) -> bool:
    """Whether programs run what the variable names, whatever they were asked for: it passes nowhere."""
    return _is_among(name, EXECUTED)


def for_filters(inherited: Mapping[str, str], *, pass_env: Iterable[str]) -> dict[str, str]:
    """Of the dropped variables those that filters of our own checkouts see: what `pass_env` names.

    Of those that git itself reads only what it needs to fetch: any other would change what our commands do.
    """
    named = {name for name in pass_env if name.startswith("GIT_") and not _is_among(name, (*REDIRECTING, *READ_BY_GIT))}
    return {name: inherited[name] for name in sorted(named) if name in inherited}


def remarks(inherited: Mapping[str, str], *, pass_env: Iterable[str], ours: Iterable[str]) -> list[str]:
    """What `pass_env` names and does not pass, or not everywhere: one line each. `ours` are set by the run itself."""
    found = []
    for name in dict.fromkeys(pass_env):
        if _is_among(name, tuple(ours)):
            found.append(f"pass_env: {name} is set by the run itself, your value does not pass")
        elif name not in inherited:
            found.append(f"pass_env: {name} is not set here")
        elif is_secret(name):
            found.append(f"pass_env: {name} is a secret by its name: agents see it, set-up, steps and gates do not")
    return found


def is_secret(name: str) -> bool:
    """Whether the value of a variable with this name is masked and kept from steps."""
    return _is_among(name.upper(), SECRET)


def _is_among(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def allowed(
    inherited: Mapping[str, str], *, pass_env: Iterable[str] = (), secrets: bool, without: Collection[str] = ()
) -> dict[str, str]:
    """The variables of `inherited` that may pass: the allow-list and `pass_env`, `without` these.

    Secrets pass only when named in `pass_env`, and only where `secrets` is true (agents, not steps).
    """
    named = set(pass_env) - set(without)
    found = {}
    for name, value in inherited.items():
        if is_redirecting(name) or is_executed(name):
            continue
        if is_secret(name):
            if secrets and name in named:
                found[name] = value
        elif name in named or _is_among(name, ALLOWED):
            found[name] = value
    return found


def masked(words: str, secrets: Iterable[bytes]) -> str:
    """`words` with `***` for each of the values."""
    return text.masked(words.encode(errors="surrogateescape"), secrets).decode(errors="surrogateescape")


def _forms(value: str) -> Iterator[bytes]:
    """A value as it is, and as lines of JSON hold it, which most clients print: a quote or a letter may be escaped."""
    yield value.encode(errors="surrogateescape")
    yield json.dumps(value)[1:-1].encode()
    yield json.dumps(value, ensure_ascii=False)[1:-1].encode(errors="surrogateescape")


def secret_values(inherited: Mapping[str, str], also: Collection[str] = ()) -> tuple[bytes, ...]:
    """The values to mask in everything we write, longest first; values under four bytes mask nothing useful.

    A value that JSON escapes is there in its escaped forms too.

    `also` names variables that hold a secret whatever they are called.
    """
    secret = (value for name, value in inherited.items() if is_secret(name) or name in also)
    values = {form for value in secret for form in _forms(value)}
    return tuple(sorted((value for value in values if len(value) >= 4), key=len, reverse=True))
