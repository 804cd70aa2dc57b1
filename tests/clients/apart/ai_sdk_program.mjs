// Everything `test_ai_sdk.py` looks at, by the real packages: prints one JSON object of {model: {what: answer}}.
//
//     node --input-type=module - URL KEY MODEL... < ai_sdk_program.mjs
//
// Runs in the folder where `make clients` put node_modules. What throws is told as {error}.
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { Output, embedMany, generateText, isStepCount, streamText, tool } from 'ai';
import { z } from 'zod';

const [url, apiKey, ...models] = process.argv.slice(2);
const baseURL = `${url}/v1`;
const openai = createOpenAI({ baseURL, apiKey });
const compatible = createOpenAICompatible({
  name: 'twintrack', baseURL, apiKey, includeUsage: true, supportsStructuredOutputs: true,
});
const anthropic = createAnthropic({ baseURL, apiKey });
const clients = {
  chat: (name) => openai.chat(name),
  responses: (name) => openai.responses(name),
  compatible: (name) => compatible(name),
  anthropic: (name) => anthropic(name),
};

const question = 'What is the capital of Norland?';
const person = z.object({ name: z.string(), age: z.number().int() });
const getWeather = tool({
  description: 'The weather in a city.',
  inputSchema: z.object({ city: z.string() }),
  execute: async () => 'foggy',
});
const common = {
  temperature: 0,
  maxOutputTokens: 60,
  maxRetries: 0,
  onError: () => {},
  // It knows by name which Claude takes a schema, and our names it cannot know.
  providerOptions: { anthropic: { structuredOutputMode: 'outputFormat' } },
};
const weather = {
  ...common, prompt: 'What is the weather in Kesti?', tools: { get_weather: getWeather }, stopWhen: isStepCount(3),
};
const counted = (usage) => [usage.inputTokens > 5, usage.outputTokens > 5];
const calls = (steps) => steps.flatMap((step) => step.toolCalls.map((call) => [call.toolName, call.input]));

const everything = {
  async generate(model) {
    const { text, usage, finishReason } = await generateText({ ...common, model, prompt: question });
    return { text, usage: counted(usage), finishReason };
  },
  async conversation(model) {
    const messages = [
      { role: 'user', content: question },
      { role: 'assistant', content: 'The capital of Norland is Vesto.' },
      { role: 'user', content: 'What is 7 plus 4?' },
    ];
    return (await generateText({ ...common, model, instructions: 'Be kind and brief.', messages })).text;
  },
  async stream(model) {
    const result = streamText({ ...common, model, prompt: question });
    const pieces = [];
    for await (const piece of result.textStream) pieces.push(piece);
    return { pieces, usage: counted(await result.usage), finishReason: await result.finishReason };
  },
  async tool(model) {
    const { text, steps } = await generateText({ ...weather, model });
    return [calls(steps), text];
  },
  async streamed_tool(model) {
    const result = streamText({ ...weather, model });
    await result.consumeStream();
    return [calls(await result.steps), await result.text];
  },
  async structured(model) {
    const output = Output.object({ schema: person });
    return (await generateText({ ...common, model, output, prompt: 'Give JSON: Kai is 79 years old.' })).output;
  },
  async streamed_structured(model) {
    const output = Output.object({ schema: person });
    const result = streamText({ ...common, model, output, prompt: 'Give JSON: Kai is 79 years old.' });
    await result.consumeStream();
    return await result.output;
  },
};

async function told(work) {
  try {
    return await work();
  } catch (error) {
    return { error: `${error.name}: ${error.message}` };
  }
}

const found = {};
for (const name of models) {
  found[name] = {};
  for (const [client, make] of Object.entries(clients)) {
    for (const [what, ask] of Object.entries(everything)) {
      found[name][`${client}: ${what}`] = await told(() => ask(make(name)));
    }
  }
}
found.embeddings = await told(async () => {
  const model = openai.embedding('vectors');
  return (await embedMany({ model, values: ['a cat', 'a dog'], maxRetries: 0 })).embeddings;
});
found.refusals = {};
for (const [client, make] of Object.entries(clients)) {
  found.refusals[client] = await told(() => generateText({ ...common, model: make('nobody'), prompt: question }));
}
console.log(JSON.stringify(found));
