"""The command line: each command in a file of its own reads its arguments, calls the core and shows the result."""

from __future__ import annotations

import sys

from qdynbench.errors import InputError, QdynbenchError

EXIT_FAILED, EXIT_INPUT, EXIT_INTERRUPTED = 1, 2, 130


def main() -> None:
    """Run the command line; exit status 0 all well, 1 some cells failed, 2 bad input, 130 interrupted."""
    from qdynbench.cli.app import build

    try:
        status = build(sys.argv[1:])(standalone_mode=False)
    except InputError as error:
        complain(str(error))
        sys.exit(EXIT_INPUT)
    except QdynbenchError as error:
        complain(str(error))
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        complain("interrupted; what was finished is kept, the same command goes on from there")
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:  # `qdynbench report ... | head`
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if not hasattr(error, "exit_code"):
            raise
        show = getattr(error, "show", None)  # a wrong option or argument: the command-line library's own message
        if show is not None:
            show()
        sys.exit(int(error.exit_code))
    sys.exit(status if isinstance(status, int) else 0)


def complain(message: str) -> None:
    """Print an error for the user."""
    from rich.console import Console
    from rich.text import Text

    Console(stderr=True, soft_wrap=True).print(Text.assemble(("error: ", "bold red"), message))
