"""Runs a program on a new pseudo-terminal and follows a script.

Standard input: JSON {"argv": [...], "cwd": str, "env": {...}, "rows": int, "columns": int, "steps": [...], "deadline_s": int}.
A step is {"expect": text} (wait until the text has appeared after what was matched before), {"send": text},
{"reply": pattern} (wait for it, type its first group), or {"resize": [rows, columns]}. Standard output: JSON {"exit_code": int, "transcript": text, "failed": text or null};
the exit code is 128+n after signal n.
"""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time


def resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Terminal:
    def __init__(self, task):
        self.deadline = time.monotonic() + task["deadline_s"]
        self.transcript = b""
        self.at = 0
        self.open = True
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                resize(0, task["rows"], task["columns"])
                os.chdir(task["cwd"])
                os.execvpe(task["argv"][0], task["argv"], task["env"])
            finally:
                os._exit(127)

    def read(self):
        """Reads what there is; waits at most until the deadline. False when nothing more can come."""
        left = self.deadline - time.monotonic()
        if not self.open or left <= 0:
            return False
        ready, _, _ = select.select([self.fd], [], [], left)
        if not ready:
            return False
        try:
            chunk = os.read(self.fd, 65536)
        except OSError:
            chunk = b""
        self.open = chunk != b""
        self.transcript += chunk
        return self.open

    def step(self, step):
        if "send" in step:
            os.write(self.fd, step["send"].encode())
        elif "reply" in step:
            wanted = re.compile(step["reply"].encode())
            while not (found := wanted.search(self.transcript, self.at)):
                if not self.read():
                    return f"never saw {step['reply']!r}"
            self.at = found.end()
            os.write(self.fd, found.group(1) + b"\n")
        elif "resize" in step:
            resize(self.fd, *step["resize"])
        else:
            wanted = step["expect"].encode()
            while (found := self.transcript.find(wanted, self.at)) < 0:
                if not self.read():
                    return f"never saw {step['expect']!r}"
            self.at = found + len(wanted)
        return None

    def end(self):
        while self.read():
            pass
        failed = None
        if self.open:
            failed = "the program did not end"
            os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return (code if code >= 0 else 128 - code), failed


def main():
    task = json.load(sys.stdin)
    terminal = Terminal(task)
    failed = None
    for step in task["steps"]:
        failed = terminal.step(step)
        if failed:
            os.kill(terminal.pid, signal.SIGTERM)
            break
    code, late = terminal.end()
    transcript = terminal.transcript.decode(errors="replace")
    json.dump({"exit_code": code, "transcript": transcript, "failed": failed or late}, sys.stdout)


main()
