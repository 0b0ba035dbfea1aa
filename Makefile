# `make` lists the targets. The first of them makes .venv; what is up to date is never redone.
#
#   make book PROFILE=full                       the preset's own sizes
#   make book PROFILE=full DATASET=data/mine     your own features
#   make figures PROFILE=full DATASET=data/mine  of these, the paper's eight figures alone
#   make book ACTIVITYNET=data/activitynet       the same for the chapter on Table 2
#   make book SHREC21=data/shrec21               runs the chapter on gestures again
#   make book DEVICE=cuda                        trains on a GPU; auto, mps
#
# FACNET_PROFILE, FACNET_DATASET, ... in the environment, which a notebook reads, count here too.
#
# pip's settings work as ever: on Linux, PIP_EXTRA_INDEX_URL=<the address that PyTorch's
# installation page gives for CPU> avoids the download of its CUDA build.

SHELL  := /bin/bash
PYTHON ?= $(or $(firstword $(shell command -v python3.11 python3.12 python3.13 python3.14 python3)),python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

PROFILE     = $(or $(FACNET_PROFILE),quick)
DATASET     = $(or $(FACNET_DATASET),synthetic)
ACTIVITYNET = $(or $(FACNET_ACTIVITYNET),synthetic-activitynet)
SHREC21     = $(FACNET_SHREC21)
DEVICE      = $(or $(FACNET_DEVICE),cpu)
# A folder as notebooks/ sees it, a tilde expanded; a name stays as it is. No rule depends on a data
# set's path, which may hold whatever a path can: what_is_read.py looks into it.
place = $(shell given='$(subst ','\'',$(1))'; \
    case $$given in ("~" | "~/"*) given=$$HOME$${given:1};; esac; \
    if [ -d "$$given" ]; then CDPATH= cd -- "$$given" && pwd; else printf %s "$$given"; fi)
export FACNET_PROFILE := $(PROFILE)
export FACNET_DEVICE := $(DEVICE)
export FACNET_DATASET := $(call place,$(DATASET))
export FACNET_ACTIVITYNET := $(call place,$(ACTIVITYNET))
export FACNET_SHREC21 := $(call place,$(SHREC21))
BUILD := _build/$(FACNET_PROFILE)
export FACNET_OUTPUT := ../$(BUILD)/results

# One notebook a core that may be used, two where they share a GPU, and one thread a notebook: the
# models are small, and sums in float32 then come out the same on any number of cores.
ifneq ($(FACNET_DEVICE),cpu)
JOBS ?= 2
endif
JOBS ?= $(shell env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc 2> /dev/null \
    || getconf _NPROCESSORS_ONLN)
export JOBS
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += --jobs=$(JOBS) --no-print-directory
endif
export OMP_NUM_THREADS ?= 1
export OMP_WAIT_POLICY := PASSIVE
export TQDM_DISABLE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUTF8 := 1
unexport PYTHONIOENCODING
SHIPPED := DATASET=synthetic ACTIVITYNET=synthetic-activitynet SHREC21=

NOTEBOOKS := $(wildcard notebooks/*.py)
EXECUTED  := $(NOTEBOOKS:%.py=$(BUILD)/src/%.ipynb)
SOURCES   := $(shell find facnet -name '*.py' -o -name '*.mplstyle' -o -name '*.html' -o -name '*.css') $(wildcard data/published/*.csv data/results/*)
PAGES     := _config.yml _toc.yml data/README.md $(shell find book -type f -not -name '*.pyc')

.PHONY: help book figures test lab bench edition refresh clean executed check FORCE
.DELETE_ON_ERROR:

help:
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile | expand -t 16

book: $(BUILD)/html.ready  ## run the notebooks and build the book (PROFILE=quick)
	@echo "The book is ready. Open it in a browser: file://$(CURDIR)/$(BUILD)/html/index.html"

figures: $(BUILD)/figures/captions.md  ## draw the paper's eight figures as SVG, and all but Fig. 2 as PDF and PNG
	@echo "The figures are in $(CURDIR)/$(BUILD)/figures"

test: $(READY)  ## everything: code, notebooks, and the book in a browser
	@$(MAKE) check PROFILE=smoke $(SHIPPED)

lab: $(READY)  ## open the notebooks in JupyterLab, with sliders (LAB="--no-browser")
	env -u TQDM_DISABLE FACNET_LIVE=1 JUPYTER_PATH="$(abspath $(VENV))/share/jupyter" \
	    $(BIN)/jupyter-lab --LabApp.default_url=/lab/tree/notebooks $(LAB)

bench: $(READY)  ## measure speed and memory; renew book/benchmark_results.md (DEVICE=cpu)
	$(BIN)/python tests/benchmark.py $(filter-out cpu,$(FACNET_DEVICE))

edition: $(READY)  ## run what the book keeps at a larger size; hours (EDITION=full DEVICE=cpu)
	$(BIN)/python tests/keep_results.py $(or $(EDITION),full)

refresh: $(READY)  ## renew the committed notebooks, as the book shows them (PROFILE=quick)
	@$(MAKE) executed $(SHIPPED)
	cp -p $(NOTEBOOKS:%.py=$(BUILD)/src/%.ipynb) notebooks/

clean:  ## remove all that was built, remembered experiments included
	rm -rf _build

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11, 5) <= sys.version_info < (3, 15) and \
	    "requirements.txt is for Python 3.11.5 to 3.14. Name one: make PYTHON=/path/to/python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -qq -r requirements.txt
	$(BIN)/pip install -qq --no-deps --no-build-isolation -e .
	@touch $@

# Touched only when the parameters, or what is in the data sets, differ from those of the last run.
$(BUILD)/parameters: $(READY) FORCE
	@$(BIN)/python book/what_is_read.py $@

# An executed copy of each notebook. A failed run shows its traceback and leaves NAME.failed.ipynb.
$(EXECUTED): $(BUILD)/src/%.ipynb: %.py $(SOURCES) $(READY) $(BUILD)/parameters \
    book/run_notebook.py book/clean_environment.py
	@mkdir -p $(@D)
	@echo "Running $< ($$FACNET_PROFILE, $$FACNET_DATASET)"
	@$(BIN)/python book/run_notebook.py $< $@

# The experiments of Tables 1 to 5, Fig. 4 and of the chapters on seeds and on differences, on all
# cores, before the notebooks that show them; first those of the notebooks that draw the paper's
# figures. Each is remembered: to run this again costs nothing. A notebook that asks for more seeds
# runs the missing ones itself. Those of the synthetic
# data at profile quick that the notebooks show as kept in data/results/ are not run again.
KEPT := $(filter synthetic-quick,$(subst $() ,_,$(FACNET_DATASET))-$(FACNET_PROFILE))
SEEDS := $(if $(KEPT),,--seeds 5)
FIGURE_SWEEPS := "table3 $(SEEDS)" $(if $(KEPT),,"table4 $(SEEDS)" "fig4 $(SEEDS)")
OTHER_SWEEPS := "table2" "table5 $(SEEDS)" \
    $(if $(KEPT),,"table1 $(SEEDS)" "differences" "collapse --seeds 20")
DRAWING := $(shell grep -l 'save_figure.figure, "fig[1-8]"' $(NOTEBOOKS) /dev/null)
SWEEPING := $(shell grep -lE '\<(sweep|kept).["n]' $(NOTEBOOKS) /dev/null)
$(patsubst %.py,$(BUILD)/src/%.ipynb,$(filter $(DRAWING),$(SWEEPING))): $(BUILD)/figure_sweeps.ready
$(patsubst %.py,$(BUILD)/src/%.ipynb,$(filter-out $(DRAWING),$(SWEEPING))): $(BUILD)/sweeps.ready
$(BUILD)/figure_sweeps.ready: sweeps = $(FIGURE_SWEEPS)
$(BUILD)/sweeps.ready: sweeps = $(OTHER_SWEEPS)
$(BUILD)/sweeps.ready: $(BUILD)/figure_sweeps.ready
$(BUILD)/figure_sweeps.ready $(BUILD)/sweeps.ready: $(SOURCES) $(READY) $(BUILD)/parameters \
    book/run_sweeps.py
	@if [ -t 2 ]; then unset TQDM_DISABLE; fi; \
	    $(BIN)/python book/run_sweeps.py $(BUILD)/results/experiments $(sweeps)
	@touch $@

# The last of these looks at models that the others train, and remember.
$(BUILD)/src/notebooks/18_every_claim.ipynb: $(filter %/08_what_the_branches_see.ipynb \
    %/09_hybrid_attention.ipynb %/13_what_the_features_learned.ipynb,$(EXECUTED))

executed: $(EXECUTED)

$(BUILD)/figures/captions.md: $(DRAWING:%.py=$(BUILD)/src/%.ipynb) book/collect_figures.py \
    book/_static/overview.svg
	@rm -rf $(@D)
	$(BIN)/python book/collect_figures.py $(BUILD)/results $(@D) $(filter %.ipynb,$^)

# From nothing each time: Sphinx does not repeat a warning about a page that it has kept.
$(BUILD)/html.ready: $(EXECUTED) $(PAGES) $(SOURCES) $(READY)
	@rm -rf $(BUILD)/html $(BUILD)/doctrees $(BUILD)/src/book
	@mkdir -p $(BUILD)/src/data
	@cp -R _config.yml _toc.yml book $(BUILD)/src/
	@cp data/README.md $(BUILD)/src/data/
	@$(BIN)/jupyter-book config sphinx $(BUILD)/src > /dev/null
	PYTHONPATH=book/_ext $(BIN)/sphinx-build -q -n -W --keep-going -d $(BUILD)/doctrees $(BUILD)/src $(BUILD)/html
	@touch $@

check: $(BUILD)/html.ready
	$(BIN)/ruff check facnet tests book
	$(BIN)/ruff check --select F --ignore F704,F821 $(NOTEBOOKS)  # papermill gives the parameters
	$(BIN)/python book/clean_environment.py $(BIN)/pytest facnet tests $(NOTEBOOKS:%.py=%.ipynb) \
	    -n $(JOBS) --dist loadfile --nbval-lax --nbval-current-env --nbval-sanitize-with=tests/nbval.cfg --nbval-cell-timeout=600
