"""What applications are given, NAME.h and NAME.py: names that an include and an import can have."""

from __future__ import annotations

from keyword import iskeyword

from ...common.diagnostics import Findings
from ..spec import Spec

# C (ISO/IEC 9899:2011, section 7.1.2), POSIX and glibc: a folder given with -I comes before the system's.
_HEADERS = """aio alloca assert byteswap complex cpio ctype dirent dlfcn endian err errno error features fcntl fenv
float fmtmsg fnmatch ftw getopt glob grp iconv ifaddrs inttypes iso646 langinfo libgen libintl limits link locale
malloc math memory monetary mqueue ndbm netdb nl_types paths poll printf pthread pty pwd regex resolv sched search
semaphore setjmp shadow signal spawn stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string
strings syslog tar termios tgmath threads time trace uchar ucontext ulimit unistd utime utmp utmpx values wait wchar
wctype wordexp"""
# Python 3.11 to 3.14, written down so that a spec means the same under each: a script's own folder comes first.
_MODULES = """abc aifc annotationlib antigravity argparse array ast asynchat asyncio asyncore atexit audioop base64
bdb binascii bisect builtins bz2 calendar cgi cgitb chunk cmath cmd code codecs codeop collections colorsys compileall
compression concurrent configparser contextlib contextvars copy copyreg crypt csv ctypes curses dataclasses datetime
dbm decimal difflib dis distutils doctest email encodings ensurepip enum errno faulthandler fcntl filecmp fileinput
fnmatch fractions ftplib functools gc genericpath getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac
html http imaplib imghdr imp importlib inspect io ipaddress itertools json keyword linecache locale logging lzma
mailbox mailcap marshal math mimetypes mmap modulefinder multiprocessing netrc nntplib numbers opcode operator
optparse os pathlib pdb pickle pickletools pipes pkgutil platform plistlib poplib posix posixpath pprint profile
pstats pty pwd py_compile pyclbr pydoc pyexpat queue quopri random re readline reprlib resource rlcompleter runpy
sched secrets select selectors shelve shlex shutil signal site smtpd smtplib sndhdr socket socketserver spwd sqlite3
ssl stat statistics string stringprep struct subprocess sunau symtable sys sysconfig syslog tabnanny tarfile telnetlib
tempfile termios textwrap this threading time timeit tkinter token tokenize tomllib trace traceback tracemalloc tty
turtle types typing unicodedata unittest urllib uu uuid venv warnings wave weakref webbrowser wsgiref xdrlib xml
xmlrpc zipapp zipfile zipimport zlib zoneinfo"""
HEADERS = frozenset(_HEADERS.split())
MODULES = frozenset(_MODULES.split())


def check(spec: Spec, findings: Findings) -> None:
    """E549 a spec's name that its header or its module cannot have."""
    if not any(rule.socket for rule in spec.egress.rules):
        return
    module = spec.name.replace("-", "_")
    if spec.name.startswith("encap_"):
        words = f"`{spec.name}.h` is a header for applications, but the bundle has `encap_*.h` of its own"
    elif spec.name in HEADERS:
        words = f"`{spec.name}.h` is a header for applications, but the C library has a header of that name"
    elif iskeyword(module):
        words = f"`{module}` is a module for applications, but it is a word of Python"
    elif module in MODULES:
        words = f"`{module}` is a module for applications, but Python has a module of that name"
    else:
        return
    better = f"{spec.name.removeprefix('encap_')[:26].rstrip('_-')}-exits".lstrip("_-")
    findings.error("E549", words, spec.name_place, f"call the spec something else: {better}")
