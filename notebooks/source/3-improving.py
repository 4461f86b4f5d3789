# %% [markdown] lang="en"
# # 3. Judging and improving
#
# Learning curves say what to do next. We make overfitting on purpose, try the remedies, look inside, and end with the real exam.

# %% [markdown] lang="ja"
# # 3. 判定と改善
#
# 学習曲線は次にすべきことを教えます。わざと過学習を起こし、対策を試し、中を覗き、本試で終わります。

# %% tags=["install"]
# %pip install -q "honshi @ git+https://github.com/honshi-dev/honshi" "torch>=2.6"

# %%
from functools import partial

import matplotlib.pyplot as plt
import torch
from torch import nn, optim

import honshi
from honshi.evaluation.diagnosis import diagnose

criterion = nn.CrossEntropyLoss()

# %% [markdown] lang="en"
# ## Overfitting on purpose
#
# A thousand images, a wide network, many epochs: it learns them by heart. Training loss falls, validation loss turns up. A **small subset** is also how one debugs: what cannot learn a hundred images by heart has a mistake.

# %% [markdown] lang="ja"
# ## わざと過学習を起こす
#
# 千枚の画像、広いネットワーク、多くのエポック: 丸暗記します。訓練の損失は下がり、検証の損失は上がり始めます。**小さな部分集合**はデバッグにも使います。百枚を覚えられないものには間違いがあります。

# %%
few = honshi.load("mnist", subset=1000)


def training(epochs=25, seed=0, hidden=(256, 128), dropout=0.0, weight_decay=0.0, batch_norm=False, **options):
    torch.manual_seed(seed)
    model = honshi.models.MLP(hidden=hidden, dropout=dropout, batch_norm=batch_norm)
    optimizer = optim.Adam(model.parameters(), lr=0.001, weight_decay=weight_decay)
    return model, honshi.fit(model, criterion, optimizer, few.train, few.val, epochs, **options)


model, overfitted = training(restore_best=False)
overfitted

# %% [markdown] lang="en"
# honshi says in words what the curves mean:

# %% [markdown] lang="ja"
# 曲線の意味は honshi が言葉で述べます:

# %%
verdict = diagnose(overfitted.history, val_size=len(few.val), guessing_loss=2.303, restore_best=False)
print(verdict.sentence)

# %% [markdown] lang="en"
# ## The remedies, one at a time
#
# Dropout, weight decay (regularisation), augmentation, early stopping. Each is one option. What helps here by half a point may be chance: with 6,000 validation images the interval is about ±0.7 points.

# %% [markdown] lang="ja"
# ## 対策を一つずつ
#
# ドロップアウト、重み減衰 (正則化)、データ拡張、早期終了。どれも 1 つのオプションです。0.5 ポイントの改善は偶然かもしれません。検証画像 6,000 枚での区間は約 ±0.7 ポイントです。

# %%
shifted = honshi.Augmentation(shift=0.1, rotate=10)
tries = {
    "nothing": training,
    "dropout 0.5": partial(training, dropout=0.5),
    "weight decay 0.001": partial(training, weight_decay=0.001),
    "augmentation": partial(training, augment=shifted),
    "early stopping": partial(training, patience=3),
    "batch norm": partial(training, batch_norm=True),
}
for name, attempt in tries.items():
    model, result = attempt(show=False)
    found = honshi.evaluate(model, few.val)
    lower, upper = found.interval
    print(f"{name:>18}: {found.accuracy:.2%} ({lower:.2%} to {upper:.2%}), epochs {len(result.history)}")

# %% [markdown] lang="en"
# More data cures overfitting like nothing else:

# %% [markdown] lang="ja"
# データを増やすことほど過学習に効くものはありません:

# %%
splits = honshi.load("mnist")
torch.manual_seed(0)
model = honshi.models.MLP(hidden=(256, 128), dropout=0.2)
result = honshi.fit(model, criterion, optim.Adam(model.parameters(), lr=0.001), splits.train, splits.val, 4)
honshi.evaluate(model, splits.val)

# %% [markdown] lang="en"
# ## Dropout and batch norm from inside
#
# In training, dropout answers differently each time; in eval mode it does nothing. Batch norm brings each unit to mean 0 and deviation 1 over the batch.

# %% [markdown] lang="ja"
# ## 中から見たドロップアウトとバッチ正規化
#
# ドロップアウトは訓練中は毎回違う答えを出し、評価モードでは何もしません。バッチ正規化は各ユニットをバッチの中で平均 0、標準偏差 1 にします。

# %%
image = splits.val.normalization(splits.val.pixels[:1])
model.train()
draws = torch.stack([model(image).softmax(1)[0].detach() for _ in range(200)])
model.eval()
steady = model(image).softmax(1)[0].detach()
plt.boxplot(draws.numpy())
plt.plot(range(1, 11), steady, "_", markersize=14)
plt.xticks(range(1, 11), splits.val.classes)
plt.ylabel("probability, 200 draws of dropout")
plt.show()

norm = nn.BatchNorm1d(4)
before = torch.randn(256, 4) * torch.tensor([1.0, 3.0, 0.2, 8.0]) + torch.tensor([0.0, 5.0, -1.0, 2.0])
after = norm(before)
print("before: mean", before.mean(0).numpy().round(2), "deviation", before.std(0).numpy().round(2))
print("after:  mean", after.mean(0).detach().numpy().round(2), "deviation", after.std(0).detach().numpy().round(2))

# %% [markdown] lang="en"
# ## Save, load, and one image with its confidence
#
# The weights are safetensors, and beside them stands what builds the model, its classes and how a picture becomes its input. So a loaded model can be asked about any picture.

# %% [markdown] lang="ja"
# ## 保存、読み込み、そして 1 枚の画像と確信度
#
# 重みは safetensors で、その隣にモデルの作り方、クラス、画像を入力にする方法が書かれます。だから読み込んだモデルにはどんな画像でも尋ねられます。

# %%
honshi.save(model, "model.safetensors")
loaded = honshi.load_model("model.safetensors")
honshi.predict(loaded, splits.val.pixels[0])

# %% [markdown] lang="en"
# ## What is a confidence worth?
#
# Of answers given with 90 % confidence, 90 % should be right. Networks are surer than they should be; one number, the **temperature**, corrects that.

# %% [markdown] lang="ja"
# ## 確信度の価値
#
# 確信度 90 % の答えは、90 % が正解であるべきです。ネットワークはそれより強く確信しがちですが、1 つの数、**温度**で直せます。

# %%
from honshi.evaluation.calibration import fit_temperature, reliability
from honshi.evaluation.evaluate import infer

model, _ = training(restore_best=False, show=False)
logits, labels = infer(model, few.val)
temperature = fit_temperature(logits, labels)
before, after = reliability(logits, labels), reliability(logits, labels, temperature)
print(f"calibration error {before.error:.2%}, with temperature {temperature:.2f} {after.error:.2%}")

# %% [markdown] lang="en"
# ## The mock exam wears out
#
# Who looks at validation a hundred times and keeps the best has partly chosen luck. A hundred models that only differ by noise:

# %% [markdown] lang="ja"
# ## 模試は擦り減る
#
# 検証データを百回見て最良を残すと、運も選んでしまいます。ノイズだけが違う百個のモデル:

# %%
torch.manual_seed(0)
right = torch.rand(100, 6000) < 0.97  # a hundred models, each right on 97 % of all images
seen, unseen = right[:, :3000].float().mean(1), right[:, 3000:].float().mean(1)
best = seen.argmax()
print(f"best of 100 looks: {seen[best]:.2%} on the half that was looked at, {unseen[best]:.2%} on the other")

# %% [markdown] lang="en"
# ## The exam
#
# Nothing is left to decide. Write the expectation down first, then open the sealed test set, once. The result goes into a ledger, and asking again gives the recorded one.

# %% [markdown] lang="ja"
# ## 本試
#
# もう決めることはありません。まず予想を書き、封印されたテストデータを一度だけ開きます。結果は台帳に残り、もう一度尋ねると記録が返ります。

# %%
honshi.test(loaded, splits.test, expected=0.975)

# %% [markdown] lang="en"
# Next: [the competition](4-competition.ipynb).

# %% [markdown] lang="ja"
# 次は [コンペ](4-competition.ipynb) です。
