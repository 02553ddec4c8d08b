"""What all tests share: no estimate of the truncation unless a test asks for one, and Ctrl-C."""

import os
import signal

os.environ.setdefault("WIGNERFLOW_TRUNCATION", "off")
# a shell starts background jobs with Ctrl-C ignored, and whoever they start inherits that
signal.signal(signal.SIGINT, signal.default_int_handler)
