from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request


def test_the_address_is_printed_and_the_signal_of_ctrl_c_ends_it_quietly(finished):
    call = [sys.executable, "-m", "keras_sweep", "dashboard", "digits", "--port", "0"]
    with subprocess.Popen(call, cwd=finished, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "", "")
