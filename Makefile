# The commands in the README, and those for developers.

.PHONY: run page test lint bench bench-gpu

run: page ## build quickly, then serve on 127.0.0.1:8000
	cargo run --profile quick --package trellis-cli -- serve

page: ## bundle the page into web/dist if npm is installed; otherwise the server has a plain page
	web/build

test: ## install what the tests need, then run all of them
	tests/setup
	tests/run

lint: ## formatting, lints, licences
	tests/lint

bench: ## speed and memory, as docs/performance.md reports them
	cargo bench --workspace

bench-gpu: ## on an NVIDIA GPU: the worker's code beside TRELLIS's own, as docs/performance.md reports them
	tests/gpu/bench-trellis
