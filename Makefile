# make demo: a clip of the open benchmark gets its Foley track; make test: the tests. Both make the environment first.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

.PHONY: demo test clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(READY)

CAPTION = $(BIN)/python -c 'import json; print(json.loads(open("demo/minihits/clips.jsonl").readline())["text"])'

demo: $(READY)
	@echo "composing and rendering a clip of MiniHits"
	@began=$$(date +%s); \
	$(BIN)/foleygram prepare minihits --out demo/minihits --train 0 --validation 0 --test 1 && \
	echo "  seconds: $$(($$(date +%s) - began))"
	@text="$$($(CAPTION))"; echo "laying a Foley track under it, timed by its own sound: $$text"; \
	$(BIN)/foleygram generate demo/minihits/video/test_00000.mp4 -o demo/foley.mp4 \
	    --envelope demo/minihits/audio/test_00000.flac --text "$$text" --force

test: $(READY)
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

clean:
	rm -rf .venv demo
