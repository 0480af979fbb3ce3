# The commands of the README, and those of a developer's day.

.PHONY: run page test lint bench bench-gpu

run: page ## build quickly, then serve on 127.0.0.1:8000
	cargo run --profile quick --package trellis-cli -- serve

page: ## bundle the page into web/dist, where npm is there; the server carries a plain one otherwise
	web/build

test: ## install what the tests need, then run all of them
	tests/setup
	tests/run

lint: ## formatting, lints, licences
	tests/lint

bench: ## speed and memory, as docs/performance.md reports them
	cargo bench --workspace

bench-gpu: ## on an NVIDIA GPU: the worker's ways beside TRELLIS's own, as docs/performance.md reports them
	tests/gpu/bench-trellis
