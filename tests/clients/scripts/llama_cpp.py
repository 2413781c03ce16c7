"""The server that is built into a Python package, under the options of `llama-server` itself."""

import argparse
import signal

from xllamacpp import CommonParams, Server, common_reasoning_format


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--alias", required=True)
    for name in ("--port", "--ctx-size", "--parallel"):
        parser.add_argument(name, type=int, required=True)
    args = parser.parse_args()
    params = CommonParams()
    params.model.path, params.model_alias = args.model, {args.alias}
    params.port, params.n_ctx, params.n_parallel = args.port, args.ctx_size, args.parallel
    params.cpuparams.n_threads = 1
    params.reasoning_format = common_reasoning_format.COMMON_REASONING_FORMAT_AUTO  # as `llama-server` has it
    server = Server(params)
    print(server.listening_address, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
