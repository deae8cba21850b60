"""gdb's words for Meshwork: mw list, mw bt NAME|ADDRESS|all. In gdb: source .../meshwork.py

Reads memory alone, runs nothing in the program: a core file serves as well as a live process. Needs the debug information of
meshwork-core. The text for people is docs/debugging.md.
SPDX-License-Identifier: MIT"""
import gdb
import gdb.unwinder

WORD = 8
# What switch_x86_64.S and switch_aarch64.S push, from the stack pointer of a parked coroutine up: where each register lies, the
# bytes that leaving takes off the stack, and the register whose saved value is where it goes on.
SWITCHES = {
    "i386:x86-64": ({"r15": 0, "r14": 8, "r13": 16, "r12": 24, "rbx": 32, "rbp": 40, "rip": 48}, 56, "rsp", "rip"),
    "aarch64": (dict({"x%d" % n: (n - 19) * WORD for n in range(19, 31)}, pc=88), 160, "sp", "pc"),
}


# ---- reading ------------------------------------------------------------------------------------------------
def value_of(expression):
    try:
        return gdb.parse_and_eval(expression)
    except gdb.error:
        raise gdb.GdbError("mw: %s is not known here: is this a program of Meshwork, and has meshwork-core its debug "
                           "information (built with -g, not stripped)?" % expression)


def text_of(pointer):
    return pointer.string(errors="replace") if pointer else "?"


def enum_of(number, type_name):
    """waiting, of TASKLET_WAITING: the words are the program's own."""
    for field in gdb.lookup_type("enum " + type_name).fields():
        if field.enumval == int(number):
            return field.name.split("_", 1)[1].lower()
    return "? (%d)" % int(number)


def meshes():
    """The roots of the process, in the order of making, as struct mw_scheduler."""
    head = value_of("mesh_registry.meshes.head")
    mesh = gdb.lookup_type("struct mw_scheduler")
    offset = next(f.bitpos // 8 for f in mesh.fields() if f.name == "registry_link")
    byte = gdb.lookup_type("char").pointer()
    link = head["next"]
    while link and link != head.address:
        found = (link.cast(byte) - offset).cast(mesh.pointer()).dereference()
        if not found["tasklet"]:
            yield found
        link = link["next"]


def tasklets(mesh, depth=0):
    """(depth, tasklet) for those of a mesh, each nested one followed by its own."""
    for position in range(int(mesh["top"])):
        pointer = mesh["members"][position]
        if not pointer:
            continue
        t = pointer.dereference()
        yield depth, t
        if kind_of(t) == "mesh" and t["scope"]:
            inner = t["scope"].cast(gdb.lookup_type("struct mw_scheduler").pointer()).dereference()
            yield from tasklets(inner, depth + 1)


def kind_of(t):
    return enum_of(t["kind"], "tasklet_kind")


def name_of(t):
    side, site = t["side"], t["site"]
    if side and side["name"]:
        return text_of(side["name"])
    if not site:
        return "?"
    return text_of(site["name"]) if site["name"] else site["made_name"].string(errors="replace")


def place_of(t):
    if not t["site"]:
        return "?"
    return "%s:%d" % (text_of(t["site"]["file"]).rpartition("/")[2], int(t["site"]["line"]))


def coroutine_of(t):
    """Its struct coroutine; None: a handler, or its body has not begun or is over."""
    return t["coroutine"].dereference() if kind_of(t) == "coroutine" and t["coroutine"] else None


def state_of(t):
    state = enum_of(t["state"], "tasklet_state")
    c = coroutine_of(t)
    if state != "waiting" or c is None:
        return state
    what = enum_of(c["wait_kind"], "tasklet_wait")
    if what in ("room", "answer") and c["wait_on"]:
        on = c["wait_on"].cast(gdb.lookup_type("struct mw_tasklet").pointer()).dereference()
        return "waits for %s of '%s'" % (what, name_of(on))
    return "waits for %s" % what


# ---- the stack of a parked coroutine --------------------------------------------------------------------------
class Switch(gdb.unwinder.Unwinder):
    """While it has a coroutine, the innermost frame is unwound into that one's stack: no register is written."""

    def __init__(self):
        super().__init__("meshwork")
        self.sp = None

    def __call__(self, pending):
        if self.sp is None or pending.level() != 0:
            return None
        offsets, size, sp_name, pc_name = SWITCHES[pending.architecture().name()]
        word = gdb.lookup_type("unsigned long")
        memory = gdb.Value(self.sp).cast(word.pointer())
        # gdb refuses a caller whose stack is further in: the innermost frame passes for one at the coroutine's stack pointer.
        info = pending.create_unwind_info(FrameId(gdb.Value(self.sp).cast(word), pending.read_register(pc_name)))
        for name, offset in offsets.items():
            info.add_saved_register(name, memory[offset // WORD])
        info.add_saved_register(sp_name, gdb.Value(self.sp + size).cast(word))
        for name in "pauth_dmask", "pauth_cmask":  # of AArch64, where return addresses are signed: what gdb strips off them
            try:
                info.add_saved_register(name, pending.read_register(name))
            except (ValueError, gdb.error):
                pass  # no such register here
        return info


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


switch = Switch()
gdb.unwinder.register_unwinder(None, switch, replace=True)


def frames_of(c):
    """The lines of gdb's own backtrace, without the frame of whoever runs now."""
    if any(field.name == "own" for field in c.type.fields()):
        raise gdb.GdbError("mw: built with ucontext(3): stacks of that switch are not read")
    if gdb.selected_frame().architecture().name() not in SWITCHES:
        raise gdb.GdbError("mw: no switch of ours on this processor")
    switch.sp = int(c["sp"])
    if switch.sp == 0:  # what gdb shows of memory that a core file lacks
        switch.sp = None
        return ["its stack is not in this core file: gcore leaves out memory with marked guards, the kernel does not"]
    gdb.invalidate_cached_frames()
    try:
        lines = gdb.execute("backtrace", to_string=True).splitlines()
    finally:
        switch.sp = None
        gdb.invalidate_cached_frames()
    first = next((i for i, line in enumerate(lines) if line.startswith("#1 ")), len(lines))
    return lines[first:]


def print_stack(t):
    state, c = enum_of(t["state"], "tasklet_state"), coroutine_of(t)
    print("'%s' (%s), made at %s: %s" % (name_of(t), hex(int(t.address)), place_of(t), state_of(t)))
    if kind_of(t) != "coroutine":
        print("  a %s: it has no stack of its own" % kind_of(t))
    elif c is None:
        print("  its body has not begun, or is over: it has no stack")
    elif state == "running":
        print("  it is on the stack of the thread that runs it: thread apply all bt")
    else:
        for line in frames_of(c):
            print("  " + line)


# ---- the words ----------------------------------------------------------------------------------------------
class Mw(gdb.Command):
    """What the tasklets of Meshwork do: mw list, mw bt NAME|ADDRESS|all."""

    def __init__(self):
        super().__init__("mw", gdb.COMMAND_STACK, prefix=True)


class MwList(gdb.Command):
    """All tasklets of the process, mesh by mesh: address, queue, what has been processed, state, where made, name."""

    def __init__(self):
        super().__init__("mw list", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        self.dont_repeat()
        for mesh in meshes():
            ready = int(mesh["ready_count"]) if int(mesh["only"]) else 0
            print("mesh %s: %d tasklets, %d ready, %d turns" % (hex(int(mesh.address)), int(mesh["member_count"]), ready,
                                                                int(mesh["turns"])))
            for depth, t in tasklets(mesh):
                print("%s%-18s %-9s %6d queued %10d processed  %-20s %s, %s" % (
                    "  " * (depth + 1), hex(int(t.address)), kind_of(t), int(t["count"]), int(t["processed"]), place_of(t),
                    name_of(t), state_of(t)))


class MwBt(gdb.Command):
    """The stack of a suspended coroutine, found by its tasklet's name or address; of every one: mw bt all."""

    def __init__(self):
        super().__init__("mw bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        self.dont_repeat()
        wanted = argument.strip().strip("'\"")
        if not wanted:
            raise gdb.GdbError("mw: whose stack? mw bt NAME|ADDRESS|all")
        found = 0
        for mesh in meshes():
            for _, t in tasklets(mesh):
                is_meant = coroutine_of(t) is not None if wanted == "all" else wanted in (name_of(t), hex(int(t.address)))
                if is_meant:
                    print_stack(t)
                    found += 1
        if not found:
            raise gdb.GdbError("mw: no coroutine is suspended" if wanted == "all" else "mw: no tasklet '%s' (mw list has all)" % wanted)


Mw()
MwList()
MwBt()
