"""What all tests share: no estimate of the truncation unless a test asks for one."""

import os

os.environ.setdefault("WIGNERFLOW_TRUNCATION", "off")
