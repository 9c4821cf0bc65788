"""Run by a Python that has ppk2-api, in a process of its own: says what that makes of a PPK2.

Not imported by anything: ppk2-api is GPL.
"""

import json
import sys
import time

from ppk2_api.ppk2_api import PPK2_API

port, supply_mv, wanted = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
meter = PPK2_API(port, timeout=1, write_timeout=1, exclusive=True)
modifiers_read = meter.get_modifiers()
meter.use_ampere_meter()
meter.set_source_voltage(supply_mv)
meter.toggle_DUT_power("ON")
meter.start_measuring()
sys.stdout.write("ready\n")
sys.stdout.flush()
current_ua: list[float] = []
high = 0
deadline = time.monotonic() + 60
while len(current_ua) < wanted and time.monotonic() < deadline:
    data = meter.get_data()
    if data == b"":
        time.sleep(0.01)
        continue
    values, bits = meter.get_samples(data)
    current_ua += values
    high += sum(1 for b in bits if b & 1)
meter.stop_measuring()
result = {
    "modifiers_read": bool(modifiers_read),
    "r0": meter.modifiers["R"]["0"],
    "samples": len(current_ua),
    "mean_ua": sum(current_ua) / max(len(current_ua), 1),
    "high": high,
}
sys.stdout.write(json.dumps(result) + "\n")
