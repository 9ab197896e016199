"""What Windows on a machine's PC writes when things are plugged, installed, started, logged on to or switched off. Log rows only.

Event ids and data names: Microsoft's documentation of Security 4616–6416, System 41, 1074, 6008, 7045, DriverFrameworks 2003,
Defender 5001, WindowsUpdateClient 19.
"""

from jackstop.simulator import moves
from jackstop.simulator.machine import SECOND, Machine

AUDIT = "Microsoft-Windows-Security-Auditing"
FRAMEWORKS = "Microsoft-Windows-DriverFrameworks-UserMode"
DISK_DRIVES = "{4d36e967-e325-11ce-bfc1-08002be10318}"
KEYBOARDS = "{4d36e96b-e325-11ce-bfc1-08002be10318}"

INPUT_DEVICES = "{745a17a0-74d3-11d0-b6fe-00a0c90f57da}"


def stick(m: Machine, time: int, serial: str) -> int:
    """A USB stick is plugged: a device (6416), its driver (2003), its disk (1006); gives the time it can be used (µs)."""
    device = f"USBSTOR\\Disk&Ven_SanDisk&Prod_Ultra&Rev_1.00\\{serial}&0"
    _device(m, time, device, "SanDisk Ultra USB Device", "DiskDrive", DISK_DRIVES)
    moves.windows(m, time + SECOND, f"{FRAMEWORKS}/Operational", FRAMEWORKS, 2003, {"LifetimeId": serial, "InstanceId": device})
    moves.disk(m, time + 2 * SECOND, serial, bus="7", number="1")
    return time + 5 * SECOND


def keyboard(m: Machine, time: int) -> None:
    """A USB keyboard is plugged."""
    _device(m, time, "USB\\VID_046D&PID_C31C\\6&2a9f&0&2", "USB Input Device", "Keyboard", KEYBOARDS)


def listed(m: Machine, time: int) -> None:
    """At every start Windows lists the devices that have always been there (6416): here the PIN pad."""
    _device(m, time, "USB\\VID_0ABC&PID_0102\\5&1c3f&0&1", "USB Input Device", "HIDClass", INPUT_DEVICES)


def _device(m: Machine, time: int, device: str, description: str, kind: str, identity: str) -> None:
    data = {
        "SubjectUserName": f"{m.host_name}$",
        "DeviceId": device,
        "DeviceDescription": description,
        "ClassId": identity,
        "ClassName": kind,
        "LocationInformation": "Port_#0003.Hub_#0001",
    }
    moves.windows(m, time, "Security", AUDIT, 6416, data)


def program(m: Machine, time: int, path: str, command: str | None = None, parent: str = "C:\\Windows\\explorer.exe") -> None:
    """A program starts (4688)."""
    data = {
        "SubjectUserName": "AtmUser",
        "NewProcessName": path,
        "CommandLine": command or path,
        "ParentProcessName": parent,
        "TokenElevationType": "%%1936",
    }
    moves.windows(m, time, "Security", AUDIT, 4688, data)


def service(m: Machine, time: int, name: str, path: str) -> None:
    """A service is installed (7045)."""
    data = {
        "ServiceName": name,
        "ImagePath": path,
        "ServiceType": "user mode service",
        "StartType": "auto start",
        "AccountName": "LocalSystem",
    }
    moves.windows(m, time, "System", "Service Control Manager", 7045, data)


def task(m: Machine, time: int, name: str, command: str) -> None:
    """A scheduled task is registered (4698)."""
    content = f"<Task><Actions><Exec><Command>{command}</Command></Exec></Actions></Task>"
    moves.windows(m, time, "Security", AUDIT, 4698, {"SubjectUserName": "SYSTEM", "TaskName": name, "TaskContent": content})


def remote_logon(m: Machine, time: int, user: str, address: str) -> None:
    """Somebody logs on over Remote Desktop (4624, type 10)."""
    data = {
        "TargetUserName": user,
        "TargetDomainName": m.host_name,
        "LogonType": "10",
        "IpAddress": address,
        "AuthenticationPackageName": "Negotiate",
    }
    moves.windows(m, time, "Security", AUDIT, 4624, data)


def protection_off(m: Machine, time: int) -> None:
    """Real-time protection of Defender is switched off (5001)."""
    name = "Microsoft-Windows-Windows Defender"
    moves.windows(m, time, f"{name}/Operational", name, 5001, {"Product Name": "Microsoft Defender Antivirus"})


def updated(m: Machine, time: int, title: str) -> int:
    """Windows Update installs something (19) and has the machine restarted (1074); gives the time it goes down (µs)."""
    moves.windows(m, time, "System", "Microsoft-Windows-WindowsUpdateClient", 19, {"updateTitle": title})
    data = {
        "param1": "C:\\Windows\\servicing\\TrustedInstaller.exe",
        "param3": "Operating System: Upgrade (Planned)",
        "param5": "restart",
    }
    moves.windows(m, time + 30 * SECOND, "System", "User32", 1074, data)
    return time + 60 * SECOND


def dirty(m: Machine, time: int) -> None:
    """After a start: Windows says that it had not been shut down (41, 6008)."""
    moves.windows(m, time, "System", "Microsoft-Windows-Kernel-Power", 41, {"BugcheckCode": "0", "PowerButtonTimestamp": "0"})
    moves.windows(m, time + SECOND, "System", "EventLog", 6008, {"param1": "", "param2": ""})
