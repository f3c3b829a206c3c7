"""What both checks share: a browser whose complaints are kept, and a count of checks."""

import contextlib
import io
import os
import sys

from PIL import Image, ImageChops, ImageOps
from playwright.sync_api import sync_playwright


class Report:
    def __init__(self, name):
        self.name, self.passed, self.failed = name, 0, 0

    def check(self, what, got, wanted):
        if got == wanted:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {self.name}, {what}: {got!r} instead of {wanted!r}")

    def end(self):
        if not self.failed:
            print(f"ok {self.name}: {self.passed} checks")
        sys.exit(1 if self.failed else 0)


class Browser:
    """One page. `complaints` holds errors and warnings of the console, exceptions, failed requests and error statuses."""

    def __init__(self, program, height, ignored=()):
        self.playwright = sync_playwright().start()
        self.browser = self.playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        self.page = self.browser.new_page(viewport={"width": 1280, "height": height}, device_scale_factor=1)
        self.complaints = []

        def complain(text):
            if not any(word in text for word in ignored):
                self.complaints.append(text)

        self.page.on("console", lambda m: m.type in ("error", "warning") and complain(f"{m.type}: {m.text}"))
        self.page.on("pageerror", lambda error: complain(f"exception: {error}"))
        self.page.on("requestfailed", lambda request: complain(f"failed: {request.url} {request.failure}"))
        self.page.on("response", lambda response: response.status >= 400 and complain(f"{response.status}: {response.url}"))

    def open(self, url):
        # What the page before was still asking for is given up first.
        self.page.goto("about:blank")
        self.page.wait_for_timeout(100)
        self.complaints.clear()
        self.page.goto(url)
        self.page.wait_for_load_state("networkidle")

    def close(self):
        self.browser.close()
        self.playwright.stop()


def picture(page, shots, name, selector):
    """Takes a picture of a part of the page: without the empty space around it, and in few colours, so that it stays small."""
    if not shots:
        return
    image = Image.open(io.BytesIO(page.locator(selector).first.screenshot())).convert("RGB")
    # The first lines may be the edge of what is above.
    image = image.crop((0, 4, *image.size))
    empty = image.getpixel((0, image.height - 1))
    inner = ImageChops.difference(image, Image.new("RGB", image.size, empty)).getbbox()
    image = ImageOps.expand(image.crop(inner), 16, empty)
    image.quantize(96, dither=Image.Dither.NONE).save(os.path.join(shots, name + ".png"), optimize=True)


@contextlib.contextmanager
def browser(program, height, ignored=()):
    opened = Browser(program, height, ignored)
    try:
        yield opened
    finally:
        opened.close()
